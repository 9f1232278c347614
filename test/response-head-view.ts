/** The response head reader under test, and a head that it read as plain values: what tests compare, free of offsets. */

import { FIELD_STRIDE, NAME_FROM, NAME_TO, VALUE_FROM, VALUE_TO } from "../src/http1/head-reader.ts";
import { ProtocolError } from "../src/http1/protocol-error.ts";
import { RESPONSE_LIMITS, ResponseHeadReader } from "../src/http1/response-head.ts";
import { type Fixture, headSubject } from "./incremental-reader.ts";

export interface ResponseHeadView {
  readonly status: number;
  readonly reason: string;
  /** `Name: value`, in order. */
  readonly fields: readonly string[];
  readonly contentLength: number;
  readonly chunked: boolean;
  readonly connection: string | null;
  readonly upgrade: string | null;
  readonly hasServer: boolean;
  readonly hasDate: boolean;
  readonly hasAccel: boolean;
}

export function describeResponse(head: ResponseHeadReader): ResponseHeadView {
  const text = (from: number, to: number) => head.bytes.toString("latin1", from, to);
  const cell = (index: number, column: number) => head.fields[index * FIELD_STRIDE + column]!;
  const name = (index: number) => text(cell(index, NAME_FROM), cell(index, NAME_TO));
  const value = (index: number) => text(cell(index, VALUE_FROM), cell(index, VALUE_TO));
  const noted = (index: number) => (index < 0 ? null : value(index));
  const indices = Array.from({ length: head.fieldCount }, (_, index) => index);
  return {
    status: head.status,
    reason: head.reasonFrom === head.reasonTo ? "" : text(head.reasonFrom, head.reasonTo),
    fields: indices.map((index) => `${name(index)}: ${value(index)}`),
    contentLength: head.contentLength,
    chunked: head.chunked,
    connection: noted(head.connection),
    upgrade: noted(head.upgrade),
    hasServer: head.hasServer,
    hasDate: head.hasDate,
    hasAccel: head.hasAccel,
  };
}

export const responseHead: Fixture = {
  make: () => headSubject(new ResponseHeadReader(RESPONSE_LIMITS), describeResponse),
  kindOf: (error) => (error instanceof ProtocolError ? error.kind : undefined),
};
