/** The request head reader under test, and a head that it read as plain values: what tests compare, free of offsets. */

import {
  FIELD_STRIDE,
  KNOWN,
  NAME_FROM,
  NAME_TO,
  NEXT_SAME,
  REPEATED,
  VALUE_FROM,
  VALUE_TO,
} from "../src/http1/head-reader.ts";
import { ProtocolError } from "../src/http1/protocol-error.ts";
import { REQUEST_LIMITS, RequestHeadReader } from "../src/http1/request-head.ts";
import { type Fixture, headSubject } from "./incremental-reader.ts";

export interface RequestHeadView {
  readonly method: string;
  readonly target: string;
  readonly version: number;
  /** `Name: value`, in order. */
  readonly fields: readonly string[];
  /** `Name: value, value` for each name, in the order of the first line of each. */
  readonly chains: readonly string[];
  /** Names that cannot become vars. */
  readonly unusable: readonly string[];
  readonly host: string | null;
  readonly connection: string | null;
  readonly transferEncoding: string | null;
  readonly expect: string | null;
  readonly upgrade: string | null;
  readonly contentType: string | null;
  readonly conditional: boolean;
  readonly contentLength: number;
}

export function describeHead(head: RequestHeadReader): RequestHeadView {
  const text = (from: number, to: number) => head.bytes.toString("latin1", from, to);
  const cell = (index: number, column: number) => head.fields[index * FIELD_STRIDE + column]!;
  const name = (index: number) => text(cell(index, NAME_FROM), cell(index, NAME_TO));
  const value = (index: number) => text(cell(index, VALUE_FROM), cell(index, VALUE_TO));
  const noted = (index: number) => (index < 0 ? null : value(index));
  const chain = (first: number) => {
    const values = [value(first)];
    for (let at = cell(first, NEXT_SAME); at !== 0; at = cell(at, NEXT_SAME)) values.push(value(at));
    return values.join(", ");
  };
  const indices = Array.from({ length: head.fieldCount }, (_, index) => index);
  return {
    method: text(head.start, head.methodTo),
    target: text(head.targetFrom, head.targetTo),
    version: head.version,
    fields: indices.map((index) => `${name(index)}: ${value(index)}`),
    chains: indices
      .filter((index) => cell(index, REPEATED) === 0)
      .map((index) => `${name(index)}: ${chain(index)}`),
    unusable: indices.filter((index) => cell(index, KNOWN) < 0).map(name),
    host: noted(head.host),
    connection: noted(head.connection),
    transferEncoding: noted(head.transferEncoding),
    expect: noted(head.expect),
    upgrade: noted(head.upgrade),
    contentType: noted(head.contentType),
    conditional: head.conditional,
    contentLength: head.contentLength,
  };
}

export const requestHead: Fixture = {
  make: () => headSubject(new RequestHeadReader(REQUEST_LIMITS), describeHead),
  kindOf: (error) => (error instanceof ProtocolError ? error.kind : undefined),
};
