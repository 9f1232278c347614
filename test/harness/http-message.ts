/**
 * Reading responses out of recorded bytes, for assertions. Written apart from `src/http1` on purpose, so that
 * a mistake there is not repeated here. Strict about framing, easy-going about everything else.
 */
export interface HttpMessage {
  /** `HTTP/1.1`, as sent. */
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** In order, names as sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** How the body's end is told. */
  readonly framing: "length" | "chunked" | "close" | "none";
  /** With the chunked coding taken off. */
  readonly body: Uint8Array;
  /** The body, one byte per character. */
  readonly text: string;
  /** The chunks as sent, where the framing is `chunked`. */
  readonly chunks: readonly Uint8Array[];
  /** False where the bytes ended before the message did. Always false for `close`: only the end of the connection tells. */
  readonly complete: boolean;
  /** The first value of a header, any case. */
  header(name: string): string | undefined;
  headerAll(name: string): string[];
}

export interface HttpMessages {
  /** Interim responses (1xx, but 101) included. */
  readonly messages: readonly HttpMessage[];
  /** The responses that are not interim. */
  readonly responses: readonly HttpMessage[];
  /** What follows the last whole message. */
  readonly rest: Uint8Array;
}

/** `methods`: of the requests in their order, since a response to HEAD has no body. Missing ones count as GET. */
export function parseMessages(bytes: Uint8Array, methods: readonly string[] = []): HttpMessages {
  const messages: HttpMessage[] = [];
  const responses: HttpMessage[] = [];
  let position = 0;
  while (position < bytes.length) {
    const found = parseMessage(bytes, position, methods[responses.length] ?? "GET");
    if (found === undefined) break;
    messages.push(found.message);
    if (!isInterim(found.message.status)) responses.push(found.message);
    position = found.end;
    if (!found.message.complete || found.message.status === 101) break;
  }
  return { messages, responses, rest: bytes.subarray(position) };
}

/** The first response, interim ones skipped. */
export function parseResponse(bytes: Uint8Array, method = "GET"): HttpMessage {
  const response = parseMessages(bytes, [method]).responses[0];
  if (response === undefined) throw new Error(`no response in ${JSON.stringify(latin1(bytes))}`);
  return response;
}

export function isInterim(status: number): boolean {
  return status >= 100 && status < 200 && status !== 101;
}

/** One byte per character. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

interface Found {
  readonly message: HttpMessage;
  readonly end: number;
}

function parseMessage(bytes: Uint8Array, start: number, method: string): Found | undefined {
  const headEnd = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf("\r\n\r\n", start);
  if (headEnd < 0) return undefined;
  const [statusLine, ...lines] = latin1(bytes.subarray(start, headEnd)).split("\r\n");
  const parts = /^(HTTP\/\d\.\d) (\d{3}) ?(.*)$/.exec(statusLine!);
  if (parts === null) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
  const headers = lines.map(splitHeader);
  const headerAll = (name: string) =>
    headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  const status = Number(parts[2]);
  const body = readBody(bytes, headEnd + 4, bodyFraming(status, method, headerAll));
  return {
    message: {
      version: parts[1]!,
      status,
      reason: parts[3]!,
      headers,
      framing: body.framing,
      body: body.body,
      text: latin1(body.body),
      chunks: body.chunks,
      complete: body.complete,
      header: (name) => headerAll(name)[0],
      headerAll,
    },
    end: body.end,
  };
}

function splitHeader(line: string): readonly [string, string] {
  const colon = line.indexOf(":");
  if (colon < 0) throw new Error(`not a header line: ${JSON.stringify(line)}`);
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}

type Framing =
  | { readonly type: "none" | "chunked" | "close" }
  | { readonly type: "length"; readonly length: number };

function bodyFraming(status: number, method: string, headerAll: (name: string) => string[]): Framing {
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return { type: "none" };
  if (headerAll("transfer-encoding").some((value) => /chunked/i.test(value))) return { type: "chunked" };
  const length = headerAll("content-length")[0];
  return length === undefined ? { type: "close" } : { type: "length", length: Number(length) };
}

interface Body {
  readonly framing: HttpMessage["framing"];
  readonly body: Uint8Array;
  readonly chunks: readonly Uint8Array[];
  readonly complete: boolean;
  readonly end: number;
}

function readBody(bytes: Uint8Array, start: number, framing: Framing): Body {
  if (framing.type === "chunked") return readChunks(bytes, start);
  const length = framing.type === "none" ? 0 : framing.type === "length" ? framing.length : Infinity;
  const end = Math.min(bytes.length, start + length);
  return {
    framing: framing.type,
    body: bytes.subarray(start, end),
    chunks: [],
    complete: end === start + length,
    end,
  };
}

function readChunks(bytes: Uint8Array, start: number): Body {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Uint8Array[] = [];
  let position = start;
  let complete = false;
  for (;;) {
    const lineEnd = buffer.indexOf("\r\n", position);
    if (lineEnd < 0) break;
    const line = buffer.toString("latin1", position, lineEnd);
    if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    position = lineEnd + 2;
    if (size === 0) {
      // Trailers, if any, end with an empty line.
      const end = buffer.indexOf("\r\n\r\n", lineEnd);
      complete = end >= 0;
      position = complete ? end + 4 : bytes.length;
      break;
    }
    chunks.push(bytes.subarray(position, Math.min(position + size, bytes.length)));
    if (bytes.length < position + size + 2) {
      position = bytes.length;
      break;
    }
    position += size + 2;
  }
  return { framing: "chunked", body: Buffer.concat(chunks), chunks, complete, end: position };
}
