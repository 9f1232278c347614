/**
 * Every way in which a request can fail, and what becomes of it. An error keeps its kind from where it was found
 * to here; this is the one place that turns it into a status.
 */
import type { ProtocolErrorKind } from "../http1/protocol-error.ts";
import type { UwsgiErrorKind } from "../uwsgi/encoder.ts";

/** Whose fault it is. */
export type ErrorSource = "client" | "gateway" | "upstream";

export interface ErrorClass {
  readonly source: ErrorSource;
  /** What the client gets, if it can still get anything. */
  readonly status: number;
  /** The endpoint did not get the request, or could not answer it: another may. */
  readonly retryable: boolean;
}

export type ErrorKind =
  | ProtocolErrorKind
  | UwsgiErrorKind
  | "method_not_allowed"
  | "body_too_large"
  | "header_timeout"
  | "body_timeout"
  | "send_timeout"
  | "client_closed"
  | "no_route"
  | "no_endpoint"
  | "not_ready"
  | "temporary_file_failed"
  | "upstream_refused"
  | "upstream_backlog_full"
  | "upstream_dials_pending"
  | "upstream_connect_failed"
  | "upstream_connect_timeout"
  | "upstream_send_timeout"
  | "upstream_read_timeout"
  | "upstream_reset"
  | "upstream_closed_early"
  | "upstream_bad_head"
  | "upstream_bad_body"
  | "upstream_short_body"
  | "upstream_unexpected_upgrade"
  | "upstream_redirect_loop";

const client = (status: number): ErrorClass => ({ source: "client", status, retryable: false });
const gateway = (status: number): ErrorClass => ({ source: "gateway", status, retryable: false });
const upstream = (status: number): ErrorClass => ({ source: "upstream", status, retryable: true });

export const ERRORS: Readonly<Record<ErrorKind, ErrorClass>> = {
  bad_request_line: client(400),
  bad_method: client(400),
  bad_target: client(400),
  target_too_long: client(414),
  unsupported_version: client(505),
  bad_status_line: client(400),
  bad_field_name: client(400),
  bad_field_value: client(400),
  obs_fold: client(400),
  bad_host: client(400),
  duplicate_field: client(400),
  field_line_too_long: client(431),
  head_too_large: client(431),
  too_many_fields: client(431),
  bad_content_length: client(400),
  length_with_transfer_encoding: client(400),
  bad_transfer_encoding: client(400),
  unsupported_transfer_encoding: client(501),
  bad_chunk: client(400),
  trailer_too_large: client(431),
  incomplete: client(400),
  method_not_allowed: client(405),
  body_too_large: client(413),
  header_timeout: client(408),
  body_timeout: client(408),
  // NGINX's log status for a client that is gone or takes nothing; nobody gets it.
  send_timeout: client(499),
  client_closed: client(499),
  uwsgi_block_too_large: client(431),
  uwsgi_buffer_size_exceeded: client(431),
  uwsgi_max_vars_exceeded: client(431),
  no_route: gateway(404),
  no_endpoint: gateway(503),
  not_ready: gateway(503),
  temporary_file_failed: gateway(500),
  upstream_refused: upstream(502),
  upstream_backlog_full: upstream(503),
  upstream_dials_pending: upstream(503),
  upstream_connect_failed: upstream(502),
  upstream_connect_timeout: upstream(504),
  upstream_send_timeout: upstream(504),
  upstream_read_timeout: upstream(504),
  upstream_reset: upstream(502),
  upstream_closed_early: upstream(502),
  upstream_bad_head: upstream(502),
  upstream_bad_body: { source: "upstream", status: 502, retryable: false },
  upstream_short_body: { source: "upstream", status: 502, retryable: false },
  upstream_unexpected_upgrade: upstream(502),
  upstream_redirect_loop: { source: "upstream", status: 500, retryable: false },
};

/** By what the try was waiting for. */
export const UPSTREAM_TIMEOUTS = {
  connect: "upstream_connect_timeout",
  send: "upstream_send_timeout",
  read: "upstream_read_timeout",
} as const;
