/**
 * The life of one request: match, then the file or the app behind the rule, then the log. It decides; bytes move in the
 * connection (client's side), the responder (towards the client) and the try (upstream's side).
 */
import { FIELD } from "../http1/fields.ts";
import type { ResponseHeadReader } from "../http1/response-head.ts";
import type { CompiledRule, ForwardTarget, RoutingTable } from "../routing/table.ts";
import type { StaticAction } from "../snapshot/snapshot.ts";
import { UwsgiEncodeError } from "../uwsgi/encoder.ts";
import { type InternalRedirect, overlaid } from "./accel.ts";
import { BodyBuffer } from "./body-buffer.ts";
import type { ProxyContext } from "./context.ts";
import { errorPage } from "./error-page.ts";
import { ERRORS, type ErrorKind } from "./errors.ts";
import { Forwarding } from "./forwarding.ts";
import type { Request } from "./request.ts";
import type { Responder } from "./responder.ts";

/** Of X-Accel-Redirect, as NGINX bounds them. */
const maxRedirects = 10;

/** The client's side, as the exchange sees it. */
export interface ClientSide {
  /** Of the body: `length` bytes, chunked (-1), or none (0). */
  readonly bodyLength: number;
  /** The reader of the one response that this client is waiting for. */
  readonly responseHead: ResponseHeadReader;
  /** What the client sends from here on is for the upstream, as it is. */
  beginTunnel(): void;
  /** Stop or go on handing over body bytes. */
  pauseBody(): void;
  resumeBody(): void;
  /** The response is whole or given up; the exchange will not be called again. */
  exchangeDone(): void;
}

export class Exchange {
  readonly context: ProxyContext;
  readonly request: Request;
  readonly responder: Responder;
  readonly client: ClientSide;
  readonly table: RoutingTable | undefined;
  /** Monotonic milliseconds, of the request's first byte. */
  readonly startedAtMs: number;
  rule: CompiledRule | undefined;
  forwarding: Forwarding | undefined;
  status = 0;
  error: ErrorKind | undefined;
  bodyReceived = 0;
  /** The whole request was read. */
  bodyComplete = false;
  /** The whole response was handed to the responder, or never will be. */
  responseEnded = false;
  private body: BodyBuffer | undefined;
  private release: (() => void) | undefined;
  private finished = false;
  private requestId: string | undefined;
  private redirects = 0;
  private clientIsGone = false;

  constructor(
    context: ProxyContext,
    request: Request,
    responder: Responder,
    client: ClientSide,
    startedAtMs: number,
  ) {
    this.context = context;
    this.request = request;
    this.responder = responder;
    this.client = client;
    this.table = context.table;
    this.startedAtMs = startedAtMs;
    this.bodyComplete = client.bodyLength === 0;
    context.stats.requestsActive++;
  }

  /** `$request_id`, made when somebody asks. */
  get id(): string {
    this.requestId ??= this.context.nextRequestId();
    return this.requestId;
  }

  epochMs(): number {
    return this.context.clock.epochMs();
  }

  /** When to be woken, monotonic milliseconds. */
  get deadlineMs(): number {
    return this.forwarding?.deadlineMs ?? Number.POSITIVE_INFINITY;
  }

  /** The head is read and loaded. */
  start(): void {
    const { table, request } = this;
    const rule = table?.match(request.host, request.path);
    this.rule = rule;
    if (rule === undefined) this.fail(table === undefined ? "not_ready" : "no_route");
    else if (rule.target.type === "static")
      this.serveStatic(rule.target.action, request.path, request.queryString);
    else this.forward(rule.target);
  }

  /** The app's answer is another request's. */
  redirect(to: InternalRedirect): void {
    if (++this.redirects > maxRedirects) {
      this.fail("upstream_redirect_loop");
      return;
    }
    this.rule = this.table?.match(this.request.host, to.path);
    if (this.rule === undefined) {
      this.fail("no_route");
    } else if (this.rule.target.type === "static") {
      this.serveStatic(this.rule.target.action, to.path, to.query, to);
    } else {
      this.forwarding = new Forwarding(this, this.rule.target, to);
      this.forwarding.begin(undefined);
    }
  }

  /** A file instead of an app. `path` is normalized; `query` has no question mark. */
  private serveStatic(action: StaticAction, path: string, query: string, redirect?: InternalRedirect): void {
    const { request } = this;
    const response = this.context.staticFiles.serve(action, {
      method: redirect?.method ?? request.method,
      path,
      query: query === "" ? "" : `?${query}`,
      conditional: request.head.conditional,
      field: (name) => (name === "range" ? request.first(FIELD.range) : request.field(name)),
    });
    this.status = response.status;
    this.release = () => response.close();
    const fields = redirect === undefined ? response.fields : overlaid(response.fields, redirect);
    this.responder.local(response.status, fields, response.body);
    this.endResponse();
  }

  private forward(target: ForwardTarget): void {
    const { settings } = target;
    const { bodyLength } = this.client;
    if (settings.maxBodyBytes > 0 && bodyLength > settings.maxBodyBytes) {
      this.fail("body_too_large");
      return;
    }
    this.forwarding = new Forwarding(this, target);
    if (bodyLength !== 0 && settings.requestBuffering) {
      const { bodyMemoryBytes, tempDir } = this.context.limits;
      this.body = new BodyBuffer({ memoryBytes: bodyMemoryBytes, tempDir });
      this.sendContinue();
      return;
    }
    if (bodyLength !== 0) this.sendContinue();
    this.forwarding.begin(undefined);
  }

  private sendContinue(): void {
    const { head } = this.request;
    if (head.expect >= 0 && head.version === 11 && head.valueIs(head.expect, "100-continue")) {
      this.responder.interim();
    }
  }

  bodyBytes(bytes: Buffer, from: number, to: number): void {
    this.bodyReceived += to - from;
    if (this.forwarding === undefined || this.responseEnded) return;
    const { maxBodyBytes } = this.forwarding.target.settings;
    if (maxBodyBytes > 0 && this.bodyReceived > maxBodyBytes) {
      this.fail("body_too_large");
    } else if (this.body !== undefined) {
      this.keep(this.body, bytes, from, to);
    } else {
      this.forwarding.stream(bytes, from, to);
    }
  }

  private keep(body: BodyBuffer, bytes: Buffer, from: number, to: number): void {
    const before = body.inFile;
    try {
      body.append(bytes, from, to);
    } catch (error) {
      this.temporaryFileFailed(error);
      return;
    }
    if (body.inFile && !before) this.context.stats.boundHit("body_memory");
  }

  /** After a switch of protocols. */
  tunnelBytes(bytes: Buffer, from: number, to: number): void {
    this.bodyReceived += to - from;
    this.forwarding?.stream(bytes, from, to);
  }

  /** Either side's end is the end of both. */
  tunnelEnded(): void {
    this.forwarding?.endTunnel();
  }

  /** The client took some of what waited for it. */
  outputDrained(): void {
    this.forwarding?.outputDrained();
    this.checkDone();
  }

  /** `deadlineMs` has passed. */
  expired(): void {
    this.forwarding?.expired();
  }

  temporaryFileFailed(error: unknown): void {
    this.context.logger.error({ err: error, requestId: this.id }, "a temporary file failed");
    this.fail("temporary_file_failed");
  }

  bodyEnd(): void {
    this.bodyComplete = true;
    if (this.forwarding === undefined || this.responseEnded) return;
    if (this.body === undefined) this.forwarding.streamEnd();
    else if (this.seal(this.body)) this.forwarding.begin(this.body);
  }

  private seal(body: BodyBuffer): boolean {
    try {
      body.seal();
      return true;
    } catch (error) {
      this.temporaryFileFailed(error);
      return false;
    }
  }

  /** An event's worth of body is handed over. */
  bodyFlush(): void {
    if (this.forwarding?.flushStream() === false) this.client.pauseBody();
  }

  /** The request broke HTTP's rules, or did not come in time, or cannot be served. */
  fail(kind: ErrorKind): void {
    this.error ??= kind;
    this.forwarding?.cancel();
    if (this.responseEnded) return;
    if (this.responder.started) {
      this.responseEnded = true;
      this.status ||= ERRORS[kind].status;
      this.giveUp();
      return;
    }
    const { status } = ERRORS[kind];
    this.status = status;
    if (status === 499) {
      this.responseEnded = true;
      this.giveUp();
      return;
    }
    const { fields, body } = errorPage(status, this.request.method === "HEAD");
    this.responder.local(status, fields, body);
    this.endResponse();
  }

  /** The connection's end finishes the exchange, unless it came before. */
  private giveUp(): void {
    this.responder.abort();
    if (this.clientIsGone) this.finish();
  }

  /** The client has gone: what is left is to tell the upstream, and the log. */
  clientGone(): void {
    if (this.finished) return;
    this.clientIsGone = true;
    const keepsGoing = this.bodyComplete && this.forwarding?.outlivesClient === true;
    if (!this.responseEnded || !this.responder.idle) {
      this.error ??= "client_closed";
      this.status ||= 499;
    }
    if (keepsGoing && !this.responseEnded) {
      // What waited for the client waits no more.
      this.forwarding?.outputDrained();
      return;
    }
    this.forwarding?.cancel();
    this.responseEnded = true;
    this.finish();
  }

  /** The process ends: nothing waits any more. */
  abandon(): void {
    this.clientIsGone = true;
    this.error ??= "client_closed";
    this.status ||= 499;
    this.forwarding?.cancel();
    this.responseEnded = true;
    this.finish();
  }

  get clientAborted(): boolean {
    return this.clientIsGone;
  }

  flush(): void {
    try {
      this.responder.flush();
    } catch (error) {
      this.temporaryFileFailed(error);
    }
    this.checkDone();
  }

  /** Everything was handed over; done once the client has it. */
  endResponse(): void {
    this.responseEnded = true;
    try {
      this.responder.end();
    } catch (error) {
      this.error = "temporary_file_failed";
      this.context.logger.error({ err: error, requestId: this.id }, "a temporary file failed");
      this.responder.abort();
    }
    this.checkDone();
  }

  /** After anything that may have sent the last byte. */
  checkDone(): void {
    if (this.responseEnded && (this.clientIsGone || this.responder.idle)) this.finish();
  }

  private finish(): void {
    if (this.finished) return;
    this.finished = true;
    this.release?.();
    this.body?.close();
    this.log();
    this.client.exchangeDone();
  }

  private log(): void {
    const { context } = this;
    const { stats } = context;
    const totalMs = context.moment.nowMs - this.startedAtMs;
    stats.requestsActive--;
    stats.requestDuration.observe(totalMs);
    (this.rule?.stats ?? stats.route("")).record(this.status, totalMs);
    if (this.error !== undefined) stats.error(this.error);
    if (context.accessLog.wants()) this.writeAccess(totalMs);
  }

  private writeAccess(totalMs: number): void {
    const { context, request, forwarding } = this;
    const { clock } = context;
    const { head } = request;
    const known = head.hasRequestLine;
    context.accessLog.write({
      timeMs: clock.epochMs(),
      requestId: this.id,
      remoteAddress: request.client.address,
      host: request.hostHeader,
      method: known ? request.method : "",
      target: known ? head.bytes.toString("latin1", head.targetFrom, head.targetTo) : "",
      protocol: known ? request.protocol : "",
      userAgent: request.userAgent,
      referer: request.referer,
      status: this.status,
      bytesIn: this.bodyReceived,
      bytesOut: this.responder.bodyBytes,
      route: this.rule?.id ?? "",
      endpoint: forwarding?.lastEndpoint ?? "",
      totalMs,
      connectMs: forwarding?.connectMs ?? -1,
      firstByteMs: forwarding?.firstByteMs ?? -1,
      retries: forwarding?.retries ?? 0,
      error: this.error ?? "",
    });
  }

  /** Of a packet that uWSGI would not take. */
  encodeFailed(error: unknown): void {
    if (!(error instanceof UwsgiEncodeError)) throw error;
    this.context.logger.warn({ requestId: this.id, route: this.rule?.id, error: error.kind }, error.message);
    this.fail(error.kind);
  }
}
