/** The chunked decoder under test; what it says is the body, one character per byte. */

import { ChunkedDecoder } from "../src/http1/chunked.ts";
import { ProtocolError } from "../src/http1/protocol-error.ts";
import type { Fixture } from "./incremental-reader.ts";

export const chunkedBody: Fixture = {
  make() {
    const decoder = new ChunkedDecoder();
    let body = "";
    const sink = {
      bodyBytes(bytes: Uint8Array, from: number, to: number) {
        body += Buffer.from(bytes.subarray(from, to)).toString("latin1");
      },
    };
    return {
      read: (piece) => decoder.decode(piece, 0, piece.length, sink),
      get finished() {
        return decoder.done;
      },
      get seen() {
        return body;
      },
    };
  },
  kindOf: (error) => (error instanceof ProtocolError ? error.kind : undefined),
};
