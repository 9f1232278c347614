/** Proves the table of errors against what the wire rules promise: statuses, whose fault it is, and what may be tried elsewhere. */
import { describe, expect, test } from "bun:test";
import { STATUS_CODES } from "node:http";
import { ERRORS, type ErrorKind } from "./errors.ts";

const kinds = Object.keys(ERRORS) as ErrorKind[];

describe("every kind", () => {
  test("has a status that can be sent, or 499 for a client that is gone", () => {
    for (const kind of kinds) {
      const { status } = ERRORS[kind];
      expect(status === 499 || STATUS_CODES[status] !== undefined).toBe(true);
    }
  });

  test("is named in the spelling of metrics", () => {
    for (const kind of kinds) expect(kind).toMatch(/^[a-z0-9]+(_[a-z0-9]+)*$/);
  });

  test("of the client is answered with 4xx or 501, 505, and others with 5xx or 404", () => {
    for (const kind of kinds) {
      const { source, status } = ERRORS[kind];
      const isClients = (status >= 400 && status < 500) || status === 501 || status === 505;
      expect([kind, isClients]).toEqual([kind, source === "client" || kind === "no_route"]);
    }
  });

  test("may be tried elsewhere only where an endpoint failed before it answered", () => {
    const tried = kinds.filter((kind) => ERRORS[kind].retryable);
    expect(tried.every((kind) => ERRORS[kind].source === "upstream")).toBe(true);
    const answered: ErrorKind[] = ["upstream_bad_body", "upstream_short_body", "upstream_redirect_loop"];
    for (const kind of answered) expect(ERRORS[kind].retryable).toBe(false);
  });
});

/** Where the status says more than the kind's group. */
const statuses: readonly (readonly [ErrorKind, number])[] = [
  ["target_too_long", 414],
  ["head_too_large", 431],
  ["field_line_too_long", 431],
  ["too_many_fields", 431],
  ["unsupported_version", 505],
  ["unsupported_transfer_encoding", 501],
  ["method_not_allowed", 405],
  ["body_too_large", 413],
  ["header_timeout", 408],
  ["body_timeout", 408],
  ["client_closed", 499],
  ["uwsgi_block_too_large", 431],
  ["uwsgi_buffer_size_exceeded", 431],
  ["uwsgi_max_vars_exceeded", 431],
  ["no_route", 404],
  ["no_endpoint", 503],
  ["not_ready", 503],
  ["upstream_backlog_full", 503],
  ["upstream_refused", 502],
  ["upstream_reset", 502],
  ["upstream_closed_early", 502],
  ["upstream_bad_head", 502],
  ["upstream_connect_timeout", 504],
  ["upstream_send_timeout", 504],
  ["upstream_read_timeout", 504],
];

test.each(statuses)("%s is %d", (kind, status) => {
  expect(ERRORS[kind].status).toBe(status);
});
