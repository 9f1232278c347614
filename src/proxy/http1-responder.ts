/** Answers over HTTP/1.1 (RFC 9112 sections 6 and 7): heads, framing, and what waits for a slow client. */
import type { BodyPart } from "../content/content-response.ts";
import { writeChunkHeader } from "../http1/chunked.ts";
import type { RequestHeadReader } from "../http1/request-head.ts";
import type { ResponseHeadReader } from "../http1/response-head.ts";
import type { Stream } from "../net/stream.ts";
import type { ProxyContext } from "./context.ts";
import { Output } from "./output.ts";
import { RateLimit } from "./rate-limit.ts";
import type { Responder, UpstreamResponse } from "./responder.ts";
import {
  type Framing,
  headOut,
  joinedBodyBytes,
  NEVER_PASSED,
  scratch,
  writeUpstreamFields,
  writeUpstreamStatus,
} from "./response-head-writer.ts";

const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");
const CRLF = Buffer.from("\r\n");
/** Worth a copy even without a head to go along with. */
const smallBodyBytes = 4096;
const maxTempFileBytes = 1_073_741_824;
const chunkHeader = Buffer.alloc(16);

interface Rendered {
  /** The Server and Date lines that were put in. */
  readonly identity: Buffer;
  readonly body: Uint8Array;
  readonly bytes: Buffer;
}

/** Small responses of the gateway's own, with all that HTTP/1.1 puts around them; kept as long as their fields are. */
const rendered = new WeakMap<Uint8Array, Rendered>();

/** What the connection knows and the responder asks. */
export interface Http1Peer {
  /** Whether the connection may be used again after this response. Asked once, when its head is written. */
  mayKeepAlive(): boolean;
  /** Begins to send what the output holds. */
  pump(): void;
  /** Both ways, with a reset. */
  abort(): void;
}

export class Http1Responder implements Responder {
  started = false;
  keepAlive = false;
  bodyBytes = 0;
  readonly output: Output;
  private readonly peer: Http1Peer;
  private readonly request: RequestHeadReader;
  private readonly context: ProxyContext;
  private framing: Framing["type"] | "raw" = "none";
  private spill = false;
  /** The shared buffer holds bytes of ours up to here, not sent yet. It is empty between events. */
  private held = 0;

  /** `request` tells the version that the client speaks. */
  constructor(stream: Stream, peer: Http1Peer, request: RequestHeadReader, context: ProxyContext) {
    this.peer = peer;
    this.request = request;
    this.context = context;
    const { responseMemoryBytes, tempDir } = context.limits;
    const bounds = { memoryBytes: responseMemoryBytes, tempDir, tempFileBytes: maxTempFileBytes };
    this.output = new Output(stream, bounds, context.stats);
  }

  /** For the next request of the connection. */
  reset(): void {
    this.started = false;
    this.bodyBytes = 0;
    this.framing = "none";
    this.spill = false;
    this.output.rateLimit = undefined;
  }

  get idle(): boolean {
    return this.held === 0 && this.output.idle;
  }

  get full(): boolean {
    return this.spill ? this.output.full : this.output.waitingBytes >= joinedBodyBytes || this.output.full;
  }

  interim(): void {
    this.output.send(CONTINUE, 0, CONTINUE.length, false, false);
  }

  upstream({ head, dropped, added, bodiless, buffered, limitRate }: UpstreamResponse): void {
    const framing = this.chooseFraming(head, bodiless);
    this.begin(framing.type !== "close");
    writeUpstreamStatus(head);
    if (added !== "") headOut.text(added);
    writeUpstreamFields(head, dropped);
    const { date, server, both } = this.context.identityLines;
    if (!head.hasServer && !head.hasDate) headOut.bytes(both);
    else if (!head.hasServer) headOut.bytes(server);
    else if (!head.hasDate) headOut.bytes(date);
    this.finishHead(framing);
    this.spill = buffered;
    if (limitRate > 0) this.output.rateLimit = new RateLimit(limitRate, this.context.clock.monotonicMs);
  }

  private chooseFraming(head: ResponseHeadReader, bodiless: boolean): Framing {
    if (head.contentLength >= 0) return { type: "length", bytes: head.contentLength };
    if (bodiless) return { type: "none" };
    return { type: this.request.version === 11 ? "chunked" : "close" };
  }

  switchProtocols(head: ResponseHeadReader): void {
    this.started = true;
    this.keepAlive = false;
    writeUpstreamStatus(head);
    headOut.text("Connection: Upgrade\r\n");
    if (head.upgrade >= 0) headOut.text(`Upgrade: ${head.value(head.upgrade)}\r\n`);
    writeUpstreamFields(head, NEVER_PASSED);
    headOut.end();
    this.held = headOut.at;
    this.framing = "raw";
  }

  local(status: number, fields: Uint8Array, body: readonly BodyPart[]): void {
    this.begin(true);
    const only = body[0];
    if (body.length === 1 && only instanceof Uint8Array && only.length <= joinedBodyBytes) {
      this.whole(status, fields, only);
      return;
    }
    headOut.begin(status);
    headOut.bytes(fields);
    headOut.bytes(this.context.identityLines.both);
    this.finishHead({ type: "none" });
    if (body.length > 0) {
      this.flush();
      this.output.sendParts(body);
      for (const part of body) this.bodyBytes += part.length;
      this.peer.pump();
    }
  }

  /** A small response goes out as it did before, as long as its fields are the same object and Date is still true. */
  private whole(status: number, fields: Uint8Array, body: Uint8Array): void {
    this.bodyBytes = body.length;
    const { both } = this.context.identityLines;
    const isUsual = this.keepAlive && this.request.version === 11;
    const earlier = isUsual ? rendered.get(fields) : undefined;
    if (earlier?.identity === both && earlier.body === body) {
      this.send(earlier.bytes, 0, earlier.bytes.length, false);
      return;
    }
    headOut.begin(status);
    headOut.bytes(fields);
    headOut.bytes(both);
    this.finishHead({ type: "none" });
    scratch.set(body, this.held);
    this.held += body.length;
    if (isUsual)
      rendered.set(fields, { identity: both, body, bytes: Buffer.from(scratch.subarray(0, this.held)) });
  }

  private begin(delimited: boolean): void {
    this.started = true;
    this.keepAlive = delimited && this.peer.mayKeepAlive();
  }

  private finishHead(framing: Framing): void {
    headOut.framing(framing);
    headOut.connection(this.keepAlive, this.request.version);
    headOut.end();
    this.held = headOut.at;
    this.framing = framing.type;
  }

  body(bytes: Buffer, from: number, to: number): void {
    const length = to - from;
    if (length === 0) return;
    this.bodyBytes += length;
    const chunked = this.framing === "chunked";
    // What is put together here leaves at the end of the event: many tiny chunks cost one write.
    const most = this.held > 0 ? joinedBodyBytes : smallBodyBytes;
    if (length <= most && this.held + length + 32 <= scratch.length) {
      if (chunked) this.held = writeChunkHeader(scratch, this.held, length);
      this.held += bytes.copy(scratch, this.held, from, to);
      if (chunked) this.held += CRLF.copy(scratch, this.held);
      return;
    }
    this.flush();
    if (chunked) this.send(chunkHeader, 0, writeChunkHeader(chunkHeader, 0, length), true);
    this.send(bytes, from, to, false);
    if (chunked) this.send(CRLF, 0, CRLF.length, false);
  }

  end(): void {
    if (this.framing === "chunked") {
      if (this.held > 0) this.held += LAST_CHUNK.copy(scratch, this.held);
      else this.send(LAST_CHUNK, 0, LAST_CHUNK.length, false);
    }
    this.flush();
  }

  flush(): void {
    if (this.held === 0) return;
    const { held } = this;
    this.held = 0;
    this.send(scratch, 0, held, true);
  }

  private send(bytes: Buffer, from: number, to: number, reused: boolean): void {
    this.output.send(bytes, from, to, reused, this.spill);
  }

  abort(): void {
    this.held = 0;
    this.output.close();
    this.peer.abort();
  }
}
