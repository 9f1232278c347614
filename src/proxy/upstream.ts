/**
 * One try with one endpoint: dial, send the packet and the body, read the response. The uwsgi protocol has one request per
 * connection, so this object lives as long as its connection.
 */
import { ChunkedDecoder, type ChunkSink } from "../http1/chunked.ts";
import type { ResponseHeadReader } from "../http1/response-head.ts";
import type { Dialer, DialOwner, DialTarget, Stream } from "../net/stream.ts";
import type { Endpoint } from "../routing/endpoints.ts";
import type { BodyReader } from "./body-buffer.ts";
import type { ByteQueue } from "./byte-queue.ts";
import type { ErrorKind } from "./errors.ts";
import type { Moment } from "./moment.ts";

/** What a response's head leads to. */
export type HeadVerdict =
  /** Read the body. */
  | "body"
  /** There is none, whatever the fields say (HEAD, 204, 304). */
  | "no_body"
  /** From here on raw bytes, both ways. */
  | "tunnel"
  /** Nobody wants the rest: the try is over. */
  | "abandon";

export interface UpstreamOwner {
  /** A final head, or 101. */
  upstreamHead(head: ResponseHeadReader): HeadVerdict;
  /** Body bytes (or a tunnel's), to be used before the call returns or kept by reference. */
  upstreamBytes(bytes: Buffer, from: number, to: number): void;
  upstreamDone(): void;
  /** Instead of `upstreamDone`. `sent`: the endpoint may have got some of the request. */
  upstreamFailed(kind: ErrorKind, sent: boolean): void;
  /** What the owner had streamed was sent: more is welcome. */
  upstreamDrained(): void;
  /** An event's worth of bytes is over: what was put together may leave. */
  upstreamFlush(): void;
  /** A named bound took effect. */
  upstreamBoundHit(bound: string): void;
  /** Some bytes went through, either way: deadlines begin anew. */
  upstreamProgress(): void;
}

const DIALING = 0;
const SENDING = 1;
const HEAD = 2;
const BODY_LENGTH = 3;
const BODY_CHUNKED = 4;
const BODY_TO_END = 5;
const TUNNEL = 6;
const CLOSED = 7;

/** Interim responses before the one that counts. */
const maxInterims = 32;

export class UpstreamTry implements DialOwner, ChunkSink {
  readonly endpoint: Endpoint;
  /** Monotonic milliseconds; -1 until connected. */
  connectedAtMs = -1;
  private readonly owner: UpstreamOwner;
  private readonly head: ResponseHeadReader;
  private readonly moment: Moment;
  private state = DIALING;
  private stream: Stream | undefined;
  /** The packet, and what of the body was handed over. */
  readonly queue: ByteQueue;
  private reader: BodyReader | undefined;
  /** The endpoint may have got some of the request. */
  sent = false;
  private remaining = 0;
  private interims = 0;
  private chunked: ChunkedDecoder | undefined;
  private paused = false;
  private readonly hasBody: boolean;

  /**
   * `queue` holds the packet; `body` is what follows, when it is at hand. A streamed body is put into the queue later, and
   * sent by `flushBody`.
   * `head` is reset and used for the response.
   */
  constructor(
    endpoint: Endpoint,
    owner: UpstreamOwner,
    head: ResponseHeadReader,
    queue: ByteQueue,
    body: BodyReader | undefined,
    hasBody: boolean,
    moment: Moment,
  ) {
    this.endpoint = endpoint;
    this.owner = owner;
    this.head = head;
    this.reader = body;
    this.hasBody = hasBody;
    this.queue = queue;
    this.moment = moment;
    head.reset();
  }

  dial(dialer: Dialer): void {
    dialer.dial(this.endpoint.target, this);
  }

  get target(): DialTarget {
    return this.endpoint.target;
  }

  /** Waiting for the connection; after that, for the request to be sent; after that, for the response. */
  phase(): "connect" | "send" | "read" {
    if (this.state === DIALING) return "connect";
    return this.queue.length > 0 && this.state < BODY_LENGTH ? "send" : "read";
  }

  /** Sends what of a streamed body, or of a tunnel, was put into the queue. Returns whether all of it went. */
  flushBody(): boolean {
    if (this.state === CLOSED) return true;
    if (this.stream !== undefined) this.pump();
    return this.queue.length === 0;
  }

  /** Gives up, at once and without a word to the owner. */
  cancel(): void {
    if (this.state === CLOSED) return;
    if (this.state === DIALING) this.endpoint.danglingDials++;
    this.state = CLOSED;
    this.queue.clear();
    this.stream?.terminate();
  }

  /** Ends the connection in order, and without a word to the owner. */
  close(): void {
    if (this.state === CLOSED) return;
    this.state = CLOSED;
    this.stream?.close();
  }

  /** Backpressure. */
  pause(): void {
    if (this.paused || this.state === CLOSED) return;
    this.paused = true;
    this.stream?.pause();
  }

  get isPaused(): boolean {
    return this.paused;
  }

  /** Returns whether it was paused. */
  resume(): boolean {
    if (!this.paused || this.state === CLOSED) return false;
    this.paused = false;
    this.stream?.resume();
    return true;
  }

  connected(stream: Stream): void {
    if (this.state === CLOSED) {
      this.endpoint.danglingDials--;
      stream.terminate();
      return;
    }
    this.stream = stream;
    this.state = SENDING;
    this.moment.renew();
    this.connectedAtMs = this.moment.nowMs;
    this.owner.upstreamProgress();
    this.pump();
  }

  dialFailed(code: string): void {
    if (this.state === CLOSED) {
      this.endpoint.danglingDials--;
      return;
    }
    this.moment.renew();
    this.state = CLOSED;
    this.owner.upstreamFailed(dialError(code), false);
  }

  writable(): void {
    if (this.state === CLOSED || this.state === DIALING) return;
    this.moment.renew();
    if (this.queue.length > 0 || this.reader !== undefined) this.pump();
  }

  private pump(): void {
    for (;;) {
      if (this.queue.writeTo(this.stream!)) {
        this.sent = true;
        this.owner.upstreamProgress();
      }
      if (this.queue.length > 0) return;
      const piece = this.reader?.next();
      if (piece === undefined) break;
      this.queue.push(piece, 0, piece.length, false);
    }
    this.reader = undefined;
    if (this.state === SENDING) this.state = HEAD;
    this.owner.upstreamDrained();
  }

  received(bytes: Buffer): void {
    if (this.state === CLOSED) return;
    this.moment.renew();
    this.owner.upstreamProgress();
    this.read(bytes);
    this.owner.upstreamFlush();
  }

  private read(bytes: Buffer): void {
    if (this.state > HEAD) {
      this.readBody(bytes, 0);
      return;
    }
    let at = 0;
    // Interim responses (RFC 9110 section 15.2) are not the answer: skipped.
    for (;;) {
      const end = this.readHead(bytes, at);
      if (end < 0) return;
      at = end;
      if (this.head.status === 101 || this.head.status >= 200) break;
      this.head.reset();
      if (++this.interims > maxInterims) {
        this.owner.upstreamBoundHit("upstream_interims");
        this.fail("upstream_bad_head");
        return;
      }
      if (at === bytes.length) return;
    }
    this.beginBody(this.owner.upstreamHead(this.head));
    if (this.isOpen()) this.readBody(bytes, at);
  }

  /** Apart, so that the compiler does not take the state for what it was. */
  private isOpen(): boolean {
    return this.state !== CLOSED;
  }

  private readHead(bytes: Buffer, from: number): number {
    try {
      return this.head.read(bytes, from, bytes.length);
    } catch {
      this.fail("upstream_bad_head");
      return -1;
    }
  }

  private beginBody(verdict: HeadVerdict): void {
    if (!this.isOpen()) return;
    if (verdict === "abandon") this.cancel();
    else if (verdict === "tunnel") this.state = TUNNEL;
    else if (verdict === "no_body") this.finish();
    else if (this.head.chunked) {
      this.state = BODY_CHUNKED;
      this.chunked = new ChunkedDecoder();
    } else if (this.head.contentLength < 0) this.state = BODY_TO_END;
    else {
      this.state = BODY_LENGTH;
      this.remaining = this.head.contentLength;
      if (this.remaining === 0) this.finish();
    }
  }

  private readBody(bytes: Buffer, from: number): void {
    switch (this.state) {
      case BODY_LENGTH: {
        // Bytes beyond the promised length are dropped.
        const to = Math.min(bytes.length, from + this.remaining);
        this.remaining -= to - from;
        if (to > from) this.owner.upstreamBytes(bytes, from, to);
        if (this.remaining === 0) this.finish();
        break;
      }
      case BODY_CHUNKED:
        this.readChunks(bytes, from);
        break;
      case BODY_TO_END:
      case TUNNEL:
        if (bytes.length > from) this.owner.upstreamBytes(bytes, from, bytes.length);
        break;
    }
  }

  private readChunks(bytes: Buffer, from: number): void {
    try {
      this.chunked!.decode(bytes, from, bytes.length, this);
    } catch {
      this.fail("upstream_bad_body");
      return;
    }
    if (this.chunked!.done) this.finish();
  }

  bodyBytes(bytes: Uint8Array, from: number, to: number): void {
    if (this.state !== CLOSED) this.owner.upstreamBytes(bytes as Buffer, from, to);
  }

  ended(): void {
    this.atEnd(false);
  }

  closed(error: Error | undefined): void {
    this.atEnd(error !== undefined);
  }

  private atEnd(reset: boolean): void {
    if (this.state === CLOSED) return;
    this.moment.renew();
    switch (this.state) {
      case TUNNEL:
        this.finish();
        return;
      case BODY_TO_END:
        // An app that did not read its body makes the kernel reset the connection behind the response.
        if (reset && !this.hasBody) this.fail("upstream_short_body");
        else this.finish();
        return;
      case BODY_LENGTH:
      case BODY_CHUNKED:
        this.fail("upstream_short_body");
        return;
      default:
        this.fail(reset ? "upstream_reset" : "upstream_closed_early");
    }
  }

  private finish(): void {
    if (this.state === CLOSED) return;
    this.state = CLOSED;
    this.stream?.close();
    this.owner.upstreamDone();
  }

  private fail(kind: ErrorKind): void {
    this.state = CLOSED;
    this.stream?.terminate();
    this.owner.upstreamFailed(kind, this.sent);
  }
}

function dialError(code: string): ErrorKind {
  if (code === "ECONNREFUSED" || code === "ENOENT") return "upstream_refused";
  if (code === "EAGAIN") return "upstream_backlog_full";
  return code === "ETIMEDOUT" ? "upstream_connect_timeout" : "upstream_connect_failed";
}
