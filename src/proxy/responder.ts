/** How an exchange answers, whatever protocol version the client speaks. */
import type { BodyPart } from "../content/content-response.ts";
import type { ResponseHeadReader } from "../http1/response-head.ts";

/** An upstream's head, and what the gateway changes in it. */
export interface UpstreamResponse {
  readonly head: ResponseHeadReader;
  /** Numbers of fields that are left out. */
  readonly dropped: ReadonlySet<number>;
  /** Lines that are put in, each ended by CRLF; `""` for none. */
  readonly added: string;
  /** The response has no body, whatever its fields say. */
  readonly bodiless: boolean;
  /** What does not fit in memory may go to a file, so that the worker is free. */
  readonly buffered: boolean;
  /** Bytes per second; 0 for no limit. */
  readonly limitRate: number;
}

export interface Responder {
  /** A final head was begun: no other status can be sent. */
  readonly started: boolean;
  /** All that was sent has left. */
  readonly idle: boolean;
  /** More than the bound waits for the client. */
  readonly full: boolean;
  /** Of the body, handed to the kernel or waiting. */
  readonly bodyBytes: number;
  /** `100 Continue`. */
  interim(): void;
  upstream(response: UpstreamResponse): void;
  /** `101`, after which `body` sends raw bytes. */
  switchProtocols(head: ResponseHeadReader): void;
  /** A response of the gateway's own; `fields` are whole lines, Content-Length among them where there is a body. */
  local(status: number, fields: Uint8Array, body: readonly BodyPart[]): void;
  body(bytes: Buffer, from: number, to: number): void;
  /** The response is whole. */
  end(): void;
  flush(): void;
  /** The response cannot be made whole: the client must notice. */
  abort(): void;
}
