/** A request on its way to an app: which endpoint, how often, how long, and what becomes of the response. */
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
import { pushChunk, pushLastChunk } from "./chunk-queue.ts";
import { ERRORS, type ErrorKind, UPSTREAM_TIMEOUTS } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import { NEVER_PASSED } from "./response-head-writer.ts";
import { boundOnRetries, isRepeatable } from "./retry-rule.ts";
import { type HeadVerdict, type UpstreamOwner, UpstreamTry } from "./upstream.ts";
import { buildPacket, type SentAs, sentAsItCame, sentAsRedirected } from "./vars.ts";

/** Bodies up to this are sent in one write with the packet. */
const joinedBodyBytes = 16_384;
/** Of one endpoint; each holds a descriptor until the kernel gives up. */
const maxDanglingDials = 64;
/** How long a request waits for one of them to come back, when there is no other endpoint. */
const maxDialWaitMs = 1000;
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
  /** It cannot be dialled just now and there is nobody else: looked at again at `deadlineMs`. */
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
    this.as = redirect === undefined ? sentAsItCame(exchange.request) : sentAsRedirected(redirect);
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
    const endpoint = this.pick();
    if (endpoint === undefined) this.exchange.fail("no_endpoint");
    else this.contact(endpoint, undefined);
  }

  /** The endpoint to try next. */
  private pick(): Endpoint | undefined {
    const endpoint = this.target.pool.pick(this.tried, this.settings, this.now());
    if (endpoint !== undefined) this.tried = this.tried.length === 0 ? [endpoint] : [...this.tried, endpoint];
    return endpoint;
  }

  /** `unsent`: what an endpoint that could not be reached had waiting. */
  private contact(endpoint: Endpoint, unsent: ByteQueue | undefined): void {
    const queue = unsent ?? this.firstBytes();
    if (queue === undefined) return;
    if (endpoint.danglingDials < maxDanglingDials) this.dial(endpoint, queue);
    else this.passOver(endpoint, queue);
  }

  /** It has too many dials under way that nobody waits for any more: somebody else, or wait for a moment. */
  private passOver(endpoint: Endpoint, queue: ByteQueue): void {
    if (!this.waited) this.exchange.context.stats.boundHit("dangling_dials");
    const next = this.pick();
    if (next !== undefined) this.contact(next, queue);
    else if (this.now() - this.begunAtMs < maxDialWaitMs) this.wait(endpoint, queue);
    else this.exchange.fail("upstream_dials_pending");
  }

  private dial(endpoint: Endpoint, queue: ByteQueue): void {
    const { exchange, settings } = this;
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
    if (this.exchange.client.bodyLength >= 0 || this.tunnel) queue.push(bytes, from, to, false);
    else pushChunk(queue, bytes, from, to);
  }

  streamEnd(): void {
    const queue = this.attempt?.queue ?? this.unsent;
    if (!this.streams) return;
    this.streamed = true;
    if (this.exchange.client.bodyLength < 0 && queue !== undefined) pushLastChunk(queue);
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
      else this.blame(endpoint);
      const next = this.mayRepeat(true) ? this.pick() : undefined;
      if (next !== undefined) {
        this.leave();
        this.retry(next, undefined);
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

  upstreamBoundHit(bound: string): void {
    this.exchange.context.stats.boundHit(bound);
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
    if (!exchange.clientAborted && !isBusy) this.blame(endpoint);
    this.leave();
    const mayRepeat = !exchange.responder.started && ERRORS[kind].retryable && this.mayRepeat(sent);
    const next = mayRepeat ? this.pick() : undefined;
    if (next !== undefined) this.retry(next, unsent);
    else if (isBusy && this.now() - this.begunAtMs < settings.connectTimeoutMs) {
      if (!this.waited) exchange.context.stats.boundHit("upstream_backlog");
      this.wait(endpoint, unsent);
    } else exchange.fail(kind);
  }

  /** A lone endpoint is never out, so nothing is held against it. */
  private blame(endpoint: Endpoint): void {
    if (this.target.pool.size > 1) endpoint.failed(this.settings, this.now());
    else endpoint.stats.failures++;
  }

  /** The request never left: it queues here until the endpoint can be dialled. */
  private wait(endpoint: Endpoint, unsent: ByteQueue | undefined): void {
    this.waited = true;
    this.waitingFor = endpoint;
    this.unsent = unsent;
    this.deadlineMs = this.now() + redialMs;
  }

  private redial(endpoint: Endpoint): void {
    const { unsent } = this;
    this.waitingFor = undefined;
    this.unsent = undefined;
    this.contact(endpoint, unsent);
  }

  private retry(endpoint: Endpoint, unsent: ByteQueue | undefined): void {
    this.retries++;
    this.exchange.context.stats.retries++;
    this.contact(endpoint, unsent);
  }

  private mayRepeat(sent: boolean): boolean {
    const { tried, exchange, streamed, as } = this;
    const { retry } = this.settings;
    if (exchange.clientAborted || tried.length >= this.target.pool.size) return false;
    if (!isRepeatable({ method: as.method, sent, streamed }, retry)) return false;
    const bound = boundOnRetries(retry, tried.length, this.now() - this.begunAtMs);
    if (bound !== undefined) exchange.context.stats.boundHit(bound);
    return bound === undefined;
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
    const kind = UPSTREAM_TIMEOUTS[attempt.phase()];
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
