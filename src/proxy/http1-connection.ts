/**
 * One client connection over HTTP/1.1: heads and bodies in, one exchange at a time, in order; what the client sends
 * ahead waits in the kernel.
 */
import { BodyReader } from "../http1/body-reader.ts";
import type { ChunkSink } from "../http1/chunked.ts";
import { FIELD } from "../http1/fields.ts";
import { ProtocolError } from "../http1/protocol-error.ts";
import { REQUEST_LIMITS, RequestHeadReader } from "../http1/request-head.ts";
import { RESPONSE_LIMITS, ResponseHeadReader } from "../http1/response-head.ts";
import type { Stream, StreamOwner } from "../net/stream.ts";
import type { ProxyContext } from "./context.ts";
import type { ErrorKind } from "./errors.ts";
import { type ClientSide, Exchange } from "./exchange.ts";
import { hasLeft } from "./half-close.ts";
import { type Http1Peer, Http1Responder } from "./http1-responder.ts";
import { identify } from "./identity.ts";
import { Input } from "./input.ts";
import { Linger } from "./linger.ts";
import { Request } from "./request.ts";
import { SendDeadline } from "./send-deadline.ts";

/*
 * HEAD: waiting for a request, or reading its head. BODY: reading a request body. ANSWER: the request is read, the answer is not. LINGER: all is
 * said, and what still comes is thrown away, so that a reset does not overtake the answer.
 */
const HEAD = 0;
const BODY = 1;
const ANSWER = 2;
const TUNNEL = 3;
const LINGER = 4;
const CLOSED = 5;

/** Of an unwanted body: beyond it, closing is cheaper. */
const maxDiscardBytes = 65_536;

export class Http1Connection implements StreamOwner, ClientSide, Http1Peer, ChunkSink {
  readonly responseHead = new ResponseHeadReader(RESPONSE_LIMITS);
  bodyLength = 0;
  private readonly stream: Stream;
  private readonly context: ProxyContext;
  private readonly onClosed: (connection: Http1Connection) => void;
  private readonly reader = new RequestHeadReader(REQUEST_LIMITS);
  private readonly request: Request;
  private readonly responder: Http1Responder;
  private readonly input: Input;
  private readonly body = new BodyReader();
  private readonly linger = new Linger();
  private readonly sendDeadline: SendDeadline;
  private exchange: Exchange | undefined;
  private state = HEAD;
  private processing = false;
  /** Where the next message begins is in doubt. */
  private broken = false;
  private bodyPaused = false;
  private inputEnded = false;
  private requests = 0;
  private requestAtMs = 0;
  private receivedAtMs = 0;
  /** Monotonic milliseconds. */
  private deadlineMs: number;

  constructor(
    stream: Stream,
    scheme: string,
    context: ProxyContext,
    onClosed: (connection: Http1Connection) => void,
  ) {
    this.stream = stream;
    this.input = new Input(stream);
    this.context = context;
    this.onClosed = onClosed;
    this.request = new Request(this.reader, identify(stream, scheme, context.isTrusted));
    this.responder = new Http1Responder(stream, this, this.reader, context);
    this.sendDeadline = new SendDeadline(this.responder.output, context.limits.sendTimeoutMs);
    this.deadlineMs = context.moment.nowMs + context.limits.headerTimeoutMs;
  }

  received(bytes: Buffer): void {
    this.context.moment.renew();
    this.context.stats.receivedBytes += bytes.length;
    this.receivedAtMs = this.context.moment.nowMs;
    if (this.state === LINGER) this.deadlineMs = this.linger.more(this.receivedAtMs);
    if (this.state === LINGER || this.state === CLOSED) return;
    this.input.push(bytes);
    this.process();
  }

  /** Uses what was received, as far as the state allows. */
  private process(): void {
    if (this.processing) return;
    this.processing = true;
    while (this.input.bytes !== undefined && this.step(this.input.bytes)) {}
    this.processing = false;
    this.exchange?.bodyFlush();
    if (this.state !== CLOSED) this.input.regulate();
    if (this.inputEnded && this.input.empty) this.noMoreInput();
  }

  /** One head, or one stretch of body. Returns false when nothing more can be used now. */
  private step(bytes: Buffer): boolean {
    if (this.input.at === bytes.length) {
      this.input.clear();
      return false;
    }
    switch (this.state) {
      case HEAD:
        return this.readHead(bytes);
      case BODY:
        return !this.bodyPaused && this.readBody(bytes);
      case TUNNEL:
        if (this.bodyPaused) return false;
        this.exchange?.tunnelBytes(bytes, this.input.at, bytes.length);
        this.input.at = bytes.length;
        return true;
      default:
        if (this.state !== ANSWER) this.input.clear();
        return false;
    }
  }

  private readHead(bytes: Buffer): boolean {
    const { reader, context } = this;
    if (!reader.begun) {
      this.requestAtMs = context.moment.nowMs;
      this.deadlineMs = context.moment.nowMs + context.limits.headerTimeoutMs;
    }
    try {
      const end = reader.read(bytes, this.input.at, bytes.length);
      if (end < 0) {
        this.input.clear();
        return false;
      }
      this.input.at = end;
      this.beginExchange();
    } catch (error) {
      this.refuse(error);
    }
    return true;
  }

  private beginExchange(): void {
    const { reader, request } = this;
    this.requests++;
    this.bodyLength = reader.transferEncoding >= 0 ? -1 : Math.max(0, reader.contentLength);
    this.body.begin(this.bodyLength);
    this.bodyPaused = false;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    request.unload();
    if (request.method === "TRACE" || request.method === "CONNECT") {
      this.reject("method_not_allowed");
      return;
    }
    request.load();
    const exchange = this.newExchange();
    if (this.body.done) {
      this.state = ANSWER;
    } else {
      this.state = BODY;
      this.awaitBody();
    }
    exchange.start();
  }

  private newExchange(): Exchange {
    this.responder.reset();
    this.exchange = new Exchange(this.context, this.request, this.responder, this, this.requestAtMs);
    return this.exchange;
  }

  /** The client broke the protocol: where the next message begins is anyone's guess, so there is none. */
  private refuse(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    this.context.stats.protocolError(error.kind);
    this.reject(error.kind);
  }

  private reject(kind: ErrorKind): void {
    if (this.exchange === undefined) this.request.unload();
    const exchange = this.exchange ?? this.newExchange();
    this.state = ANSWER;
    this.broken = true;
    exchange.fail(kind);
  }

  private readBody(bytes: Buffer): boolean {
    this.awaitBody();
    try {
      this.input.at = this.body.read(bytes, this.input.at, bytes.length, this);
    } catch (error) {
      this.refuse(error);
      return true;
    }
    if (this.body.done) this.bodyRead();
    return true;
  }

  private awaitBody(): void {
    this.deadlineMs = this.context.moment.nowMs + this.context.limits.bodyTimeoutMs;
  }

  bodyBytes(bytes: Uint8Array, from: number, to: number): void {
    this.exchange?.bodyBytes(bytes as Buffer, from, to);
  }

  private bodyRead(): void {
    if (this.state !== BODY) return;
    if (this.exchange === undefined) {
      this.awaitRequest();
      return;
    }
    this.state = ANSWER;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.exchange.bodyEnd();
  }

  beginTunnel(): void {
    this.state = TUNNEL;
    this.bodyPaused = false;
    // Not from within the upstream's event: its own bytes go first.
    if (!this.input.empty) queueMicrotask(() => this.guard(() => this.process()));
  }

  pauseBody(): void {
    this.bodyPaused = true;
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  /** Also for what is left of a body that nobody wants: the next request comes after it. */
  resumeBody(): void {
    if (!this.bodyPaused && this.exchange !== undefined) return;
    this.bodyPaused = false;
    if (this.state === BODY) this.awaitBody();
    this.process();
  }

  mayKeepAlive(): boolean {
    const { context, request, reader } = this;
    if (context.draining || (this.inputEnded && this.input.empty) || this.broken) return false;
    if (this.requests >= context.limits.maxRequestsPerConnection) {
      context.stats.boundHit("requests_per_connection");
      return false;
    }
    // The rest of the body is skipped if that is little, and if the client does not wait to be told to send it.
    if (this.state === BODY && (reader.expect >= 0 || !this.restIsLittle())) return false;
    return reader.version === 11 ? !request.connectionHas("close") : request.connectionHas("keep-alive");
  }

  /** Chunks tell of themselves only: all of them must be there. */
  private restIsLittle(): boolean {
    const { body, input } = this;
    if (!body.chunked) return body.remaining <= maxDiscardBytes;
    return input.bytes !== undefined && body.isWholeIn(input.bytes, input.at, maxDiscardBytes);
  }

  writable(): void {
    this.context.moment.renew();
    if (this.state === CLOSED || this.responder.output.idle) return;
    this.pump();
  }

  /** Goes on sending what waits, in turns. */
  pump(): void {
    const { output } = this.responder;
    let whole: boolean;
    try {
      whole = output.pump();
    } catch (error) {
      this.context.logger.error({ err: error }, "cannot read a file that is being sent");
      this.abort();
      return;
    }
    if (!whole) setImmediate(() => this.guard(() => this.state !== CLOSED && this.pump()));
    this.exchange?.outputDrained();
  }

  exchangeDone(): void {
    this.exchange = undefined;
    this.context.stats.sentBytes += this.responder.output.takeSentBytes();
    if (this.state === CLOSED) {
      this.onClosed(this);
      return;
    }
    if (!this.responder.keepAlive || this.broken || this.context.draining) this.finish();
    else if (this.state === ANSWER) this.awaitRequest();
    else this.resumeBody();
  }

  private awaitRequest(): void {
    this.state = HEAD;
    this.reader.reset();
    this.deadlineMs = this.context.moment.nowMs + this.context.limits.idleTimeoutMs;
    if (!this.input.empty || this.inputEnded) this.process();
    else if (this.context.draining) this.close();
  }

  /** The last response of this connection is sent. */
  private finish(): void {
    const unread = this.broken || !this.body.done || !this.input.empty;
    this.input.clear();
    if (!unread || this.inputEnded) {
      this.close();
      return;
    }
    this.state = LINGER;
    this.deadlineMs = this.linger.begin(this.context.moment.nowMs);
    this.stream.shutdown();
    this.input.regulate();
  }

  private close(): void {
    this.state = CLOSED;
    this.stream.close();
  }

  abort(): void {
    if (this.state !== CLOSED) this.stream.terminate();
  }

  /** Ends everything now, also what goes on without its client. */
  destroy(): void {
    this.abort();
    this.exchange?.abandon();
  }

  /** Closes an idle connection; others when their exchange is done. */
  drain(): void {
    if (this.state === HEAD && !this.reader.begun) this.close();
  }

  ended(): void {
    this.context.moment.renew();
    if (this.state === CLOSED) return;
    this.inputEnded = true;
    if (this.state === ANSWER) this.endedWaiting();
    else if (this.input.empty) this.noMoreInput();
  }

  private noMoreInput(): void {
    if (this.state === HEAD || this.state === LINGER) this.close();
    else if (this.state === BODY) this.abort();
    else if (this.state === TUNNEL) this.exchange?.tunnelEnded();
  }

  /** FIN while an app works; where the response is whole already, sending it tells who is there. */
  private endedWaiting(): void {
    if (this.exchange === undefined || this.exchange.responseEnded) return;
    const contentType = this.responder.started ? this.responseHead.find(FIELD.content_type) : undefined;
    const { nowMs } = this.context.moment;
    const inputWaits = !this.input.empty;
    if (hasLeft({ nowMs, lastByteAtMs: this.receivedAtMs, inputWaits, contentType })) this.abort();
  }

  closed(): void {
    this.context.moment.renew();
    this.state = CLOSED;
    this.input.clear();
    this.responder.output.close();
    this.exchange?.clientGone();
    // An exchange that goes on without its client still needs the tick.
    if (this.exchange === undefined) this.onClosed(this);
  }

  /** A fault of ours costs this connection, as in `net`. */
  private guard(action: () => void): void {
    try {
      this.context.moment.renew();
      action();
    } catch (error) {
      this.context.reportFault(error);
      this.destroy();
    }
  }

  /** Called each tick. */
  tick(nowMs: number): void {
    this.guard(() => this.checkDeadlines(nowMs));
  }

  private checkDeadlines(nowMs: number): void {
    const { exchange } = this;
    if (exchange !== undefined && nowMs >= exchange.deadlineMs) exchange.expired();
    if (this.responder.output.limited && !this.responder.output.idle) this.pump();
    if (this.sendDeadline.passed(nowMs)) {
      exchange?.fail("send_timeout");
      this.abort();
    }
    if (nowMs >= this.deadlineMs) this.expired();
  }

  private expired(): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
    if (this.state === HEAD && this.reader.begun) this.reject("header_timeout");
    else if (this.state === BODY && this.exchange !== undefined) this.reject("body_timeout");
    else if (this.state === HEAD || this.state === BODY || this.state === LINGER) this.close();
  }
}
