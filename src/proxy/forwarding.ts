/** A request on its way to an app: which endpoint, how often, how long, and what becomes of the response. */
import { writeChunkHeader } from "../http1/chunked.ts";
import { FIELD } from "../http1/fields.ts";
import { ProtocolError } from "../http1/protocol-error.ts";
import type { ResponseHeadReader } from "../http1/response-head.ts";
import type { Endpoint } from "../routing/endpoints.ts";
import type { ForwardTarget } from "../routing/table.ts";
import type { ForwardSettings } from "../snapshot/snapshot.ts";
import {
  type InternalRedirect,
  keptLines,
  readBuffering,
  readCharset,
  readLimitRate,
  readRedirect,
} from "./accel.ts";
import type { BodyBuffer } from "./body-buffer.ts";
import { ByteQueue } from "./byte-queue.ts";
import { ERRORS, type ErrorKind } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import { NEVER_PASSED } from "./response-head-writer.ts";
import { type HeadVerdict, type UpstreamOwner, UpstreamTry } from "./upstream.ts";
import { buildPacket, type SentAs } from "./vars.ts";

/** RFC 9110 section 9.2.2, without TRACE, which never gets here. */
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** Bodies up to this are sent in one write with the packet. */
const joinedBodyBytes = 16_384;
/** Of one endpoint; each holds a descriptor until the kernel gives up. */
const maxDanglingDials = 64;
/** Between two looks at a full backlog. */
const redialMs = 20;

export class Forwarding implements UpstreamOwner {
  readonly target: ForwardTarget;
  readonly settings: ForwardSettings;
  /** Monotonic milliseconds. */
  deadlineMs = Number.POSITIVE_INFINITY;
  lastEndpoint = "";
  /** Of the last try; -1 where there was none. */
  connectMs = -1;
  firstByteMs = -1;
  retries = 0;
  private readonly exchange: Exchange;
  private readonly redirect: InternalRedirect | undefined;
  private tried: readonly Endpoint[] = [];
  /** Its backlog is full and there is nobody else: it is dialled again at `deadlineMs`. */
  private waitingFor: Endpoint | undefined;
  private attempt: UpstreamTry | undefined;
  private attemptAtMs = 0;
  private begunAtMs = 0;
  private as: SentAs;
  private packet: Buffer | undefined;
  private body: BodyBuffer | undefined;
  private waited = false;
  private unsent: ByteQueue | undefined;
  /** Body bytes went straight on and cannot be sent again. */
  private streamed = false;
  private tunnel = false;
  private tunnelEnding = false;

  /** `redirect`: the app before sent the request here. */
  constructor(exchange: Exchange, target: ForwardTarget, redirect?: InternalRedirect) {
    this.exchange = exchange;
    this.target = target;
    this.settings = target.settings;
    this.redirect = redirect;
    const { request } = exchange;
    this.as =
      redirect === undefined
        ? {
            method: request.method,
            path: request.path,
            contentLength: request.head.contentLength,
            redirectQuery: undefined,
          }
        : { method: redirect.method, path: redirect.path, contentLength: -1, redirectQuery: redirect.query };
  }

  /** The app is to finish though its client has gone. */
  get outlivesClient(): boolean {
    const isUnderWay = this.attempt !== undefined || this.waitingFor !== undefined;
    return this.settings.ignoreClientAbort && isUnderWay && !this.tunnel;
  }

  /** The body goes on as it comes. A redirect has none, whatever the client still sends. */
  private get streams(): boolean {
    return this.body === undefined && this.redirect === undefined && this.exchange.client.bodyLength !== 0;
  }

  /** Contacts an endpoint, with a whole `body` or one that will be streamed, or with none. */
  begin(body: BodyBuffer | undefined): void {
    this.body = body;
    if (body !== undefined) this.as = { ...this.as, contentLength: body.length };
    this.begunAtMs = this.now();
    this.dialNext(undefined);
  }

  /** `unsent`: what an endpoint that could not be reached had waiting. */
  private dialNext(unsent: ByteQueue | undefined, lastError: ErrorKind = "no_endpoint"): void {
    const endpoint = this.target.pool.pick(this.tried, this.settings, this.now());
    if (endpoint === undefined) {
      this.exchange.fail(lastError);
      return;
    }
    this.tried = this.tried.length === 0 ? [endpoint] : [...this.tried, endpoint];
    if (endpoint.danglingDials < maxDanglingDials) this.dial(endpoint, unsent);
    else this.dialNext(unsent, "upstream_connect_failed");
  }

  private dial(endpoint: Endpoint, unsent: ByteQueue | undefined): void {
    const { exchange, settings } = this;
    const queue = unsent ?? this.firstBytes();
    if (queue === undefined) return;
    const nowMs = this.now();
    this.lastEndpoint = endpoint.address;
    this.attemptAtMs = nowMs;
    this.connectMs = this.firstByteMs = -1;
    endpoint.begin(settings, nowMs);
    this.attempt = new UpstreamTry(
      endpoint,
      this,
      exchange.client.responseHead,
      queue,
      this.body === undefined || this.body.single(joinedBodyBytes) ? undefined : this.body.reader(),
      this.redirect === undefined && exchange.client.bodyLength !== 0,
      exchange.context.moment,
    );
    this.deadlineMs = nowMs + settings.connectTimeoutMs;
    this.attempt.dial(exchange.context.dialer);
  }

  /** The packet, and a small body behind it. `undefined`: the request has failed. */
  private firstBytes(): ByteQueue | undefined {
    const { exchange } = this;
    const { context } = exchange;
    if (this.packet === undefined) {
      try {
        this.packet = buildPacket(context.writer, exchange.request, this.target, this.as, exchange);
      } catch (error) {
        exchange.encodeFailed(error);
        return undefined;
      }
      const small = this.body?.single(joinedBodyBytes);
      if (small !== undefined) this.packet = Buffer.concat([this.packet, small]);
    }
    const queue = new ByteQueue();
    queue.push(this.packet, 0, this.packet.length, false);
    return queue;
  }

  /** Body bytes as they come, sent at `flushStream`. */
  stream(bytes: Buffer, from: number, to: number): void {
    const queue = this.attempt?.queue ?? this.unsent;
    if (queue === undefined || (!this.tunnel && !this.streams)) return;
    this.streamed = true;
    if (this.exchange.client.bodyLength >= 0 || this.tunnel) {
      queue.push(bytes, from, to, false);
      return;
    }
    // uWSGI's chunked input reads the coding itself.
    const sizeTo = writeChunkHeader(chunkSize, 0, to - from);
    queue.push(chunkSize, 0, sizeTo, true);
    queue.push(bytes, from, to, false);
    queue.push(CRLF, 0, CRLF.length, false);
  }

  streamEnd(): void {
    const queue = this.attempt?.queue ?? this.unsent;
    if (!this.streams) return;
    this.streamed = true;
    if (this.exchange.client.bodyLength < 0) queue?.push(LAST_CHUNK, 0, LAST_CHUNK.length, false);
    this.flushStream();
    this.upstreamProgress();
  }

  /** Returns false when no more should come until `upstreamDrained`. */
  flushStream(): boolean {
    if (!this.streamed) return true;
    return this.attempt === undefined ? this.waitingFor === undefined : this.attempt.flushBody();
  }

  /** The client sends no more through its tunnel: what it sent is delivered first. */
  endTunnel(): void {
    this.tunnelEnding = true;
    if (this.attempt === undefined || this.attempt.flushBody()) this.closeTunnel();
  }

  private closeTunnel(): void {
    this.attempt?.close();
    this.upstreamDone();
  }

  upstreamHead(head: ResponseHeadReader): HeadVerdict {
    const { exchange, settings } = this;
    const endpoint = this.attempt!.endpoint;
    const nowMs = this.now();
    this.connectMs = this.attempt!.connectedAtMs - this.attemptAtMs;
    this.firstByteMs = nowMs - this.attemptAtMs;
    exchange.context.stats.firstByte.observe(this.firstByteMs);
    if (settings.retry.onStatus.includes(head.status)) {
      if (head.status === 403 || head.status === 404) endpoint.succeeded();
      else endpoint.failed(settings, nowMs);
      if (this.mayRepeat(true) && this.tried.length < this.target.pool.size) {
        this.leave();
        this.retry(undefined, "no_endpoint");
        return "abandon";
      }
    } else endpoint.succeeded();
    if (head.status === 101) return this.switchProtocols(head);
    return this.relay(head);
  }

  private relay(head: ResponseHeadReader): HeadVerdict {
    const { exchange, settings, redirect } = this;
    if (head.hasAccel && this.follow(head)) return "abandon";
    const bodiless = this.as.method === "HEAD" || head.status === 204 || head.status === 304;
    const typeLine = head.hasAccel ? readCharset(head) : undefined;
    exchange.status = head.status;
    exchange.responder.upstream({
      head,
      dropped: typeLine === undefined ? NEVER_PASSED : WITHOUT_TYPE,
      added: keptLines(redirect, head) + (typeLine ?? ""),
      bodiless,
      buffered: (head.hasAccel ? readBuffering(head) : undefined) ?? settings.responseBuffering,
      limitRate: head.hasAccel ? readLimitRate(head) : 0,
    });
    return bodiless ? "no_body" : "body";
  }

  /** Takes an internal redirect; returns false when the head asks for none. */
  private follow(head: ResponseHeadReader): boolean {
    const { exchange } = this;
    try {
      const redirect = readRedirect(head, this.as.method);
      if (redirect === undefined) return false;
      this.leave();
      exchange.redirect(redirect);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.leave();
      exchange.fail("upstream_bad_head");
    }
    return true;
  }

  private switchProtocols(head: ResponseHeadReader): HeadVerdict {
    const { exchange } = this;
    if (!exchange.request.upgrade) {
      this.leave();
      exchange.fail("upstream_unexpected_upgrade");
      return "abandon";
    }
    exchange.status = 101;
    this.tunnel = true;
    exchange.context.stats.tunnelsActive++;
    exchange.responder.switchProtocols(head);
    exchange.client.beginTunnel();
    return "tunnel";
  }

  upstreamBytes(bytes: Buffer, from: number, to: number): void {
    const { exchange } = this;
    try {
      exchange.responder.body(bytes, from, to);
    } catch (error) {
      exchange.temporaryFileFailed(error);
      return;
    }
    if (exchange.responder.full) {
      this.attempt?.pause();
      this.deadlineMs = Number.POSITIVE_INFINITY;
    }
  }

  /** The client took some of what waited. */
  outputDrained(): void {
    if (this.attempt === undefined || this.exchange.responder.full) return;
    if (this.attempt.resume()) this.upstreamProgress();
  }

  upstreamFlush(): void {
    this.exchange.flush();
  }

  upstreamDone(): void {
    this.leave();
    this.exchange.endResponse();
  }

  upstreamFailed(kind: ErrorKind, sent: boolean): void {
    const { exchange, settings } = this;
    const { endpoint, queue } = this.attempt!;
    const unsent = !sent && this.streams ? queue : undefined;
    const isBusy = kind === "upstream_backlog_full";
    if (!exchange.clientAborted && !isBusy) endpoint.failed(settings, this.now());
    this.leave();
    const mayRepeat = !exchange.responder.started && ERRORS[kind].retryable && this.mayRepeat(sent);
    if (mayRepeat && (!isBusy || this.tried.length < this.target.pool.size)) this.retry(unsent, kind);
    else if (isBusy && this.now() - this.begunAtMs < settings.connectTimeoutMs) this.wait(endpoint, unsent);
    else exchange.fail(kind);
  }

  /** The request never left: it queues here until the backlog has room. */
  private wait(endpoint: Endpoint, unsent: ByteQueue | undefined): void {
    if (!this.waited) this.exchange.context.stats.boundHit("upstream_backlog");
    this.waited = true;
    this.waitingFor = endpoint;
    this.unsent = unsent;
    this.deadlineMs = this.now() + redialMs;
  }

  private redial(endpoint: Endpoint): void {
    const { unsent } = this;
    this.waitingFor = undefined;
    this.unsent = undefined;
    this.dial(endpoint, unsent);
  }

  private retry(unsent: ByteQueue | undefined, lastError: ErrorKind): void {
    if (this.tried.length < this.target.pool.size) {
      this.retries++;
      this.exchange.context.stats.retries++;
    }
    this.dialNext(unsent, lastError);
  }

  /** Connect failures: any method. Once bytes were sent: what is safe to repeat, and can be. */
  private mayRepeat(sent: boolean): boolean {
    const { retry } = this.settings;
    if (this.exchange.clientAborted || this.tried.length >= retry.maxTries) return false;
    if (retry.withinMs > 0 && this.now() - this.begunAtMs >= retry.withinMs) return false;
    if (!sent) return true;
    return !this.streamed && (retry.nonIdempotent || IDEMPOTENT.has(this.as.method));
  }

  upstreamDrained(): void {
    if (this.tunnelEnding) this.closeTunnel();
    else this.exchange.client.resumeBody();
  }

  upstreamProgress(): void {
    const { settings, attempt } = this;
    if (attempt === undefined) return;
    // Our own pause is not the app's silence.
    if (attempt.isPaused) this.deadlineMs = Number.POSITIVE_INFINITY;
    else if (attempt.phase() === "send") this.deadlineMs = this.now() + settings.sendTimeoutMs;
    // While the app waits for the rest of the request, the client is the one to be timed.
    else if (!this.exchange.bodyComplete) this.deadlineMs = Number.POSITIVE_INFINITY;
    else this.deadlineMs = this.now() + settings.readTimeoutMs;
  }

  /** `deadlineMs` has passed. */
  expired(): void {
    const { attempt, waitingFor } = this;
    if (attempt === undefined) {
      this.deadlineMs = Number.POSITIVE_INFINITY;
      if (waitingFor !== undefined) this.redial(waitingFor);
      return;
    }
    const { sent } = attempt;
    const kind = TIMEOUTS[attempt.phase()];
    attempt.cancel();
    if (this.tunnel) this.upstreamDone();
    else this.upstreamFailed(kind, sent);
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    this.waitingFor = undefined;
    this.attempt?.cancel();
    this.leave();
  }

  private leave(): void {
    if (this.attempt === undefined) return;
    if (this.tunnel) this.exchange.context.stats.tunnelsActive--;
    this.attempt.endpoint.end();
    this.attempt = undefined;
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  private now(): number {
    return this.exchange.context.moment.nowMs;
  }
}

/** The type is said anew. */
const WITHOUT_TYPE: ReadonlySet<number> = new Set([...NEVER_PASSED, FIELD.content_type]);

const TIMEOUTS = {
  connect: "upstream_connect_timeout",
  send: "upstream_send_timeout",
  read: "upstream_read_timeout",
} as const;

const CRLF = Buffer.from("\r\n");
const chunkSize = Buffer.alloc(16);
const LAST_CHUNK = Buffer.from("0\r\n\r\n");
