/**
 * The one error that the HTTP/1.1 readers throw. After it the framing of the connection is in doubt: answer
 * and close, read nothing more. Which status a kind becomes is the caller's table, for a bad request and a bad
 * upstream response are different answers to the same fault.
 */

/** What is wrong with the bytes. */
export type ProtocolErrorKind =
  | "bad_request_line"
  | "bad_method"
  | "bad_target"
  | "target_too_long"
  | "unsupported_version"
  | "bad_status_line"
  | "bad_field_name"
  | "bad_field_value"
  | "obs_fold"
  | "bad_host"
  | "duplicate_field"
  | "field_line_too_long"
  | "head_too_large"
  | "too_many_fields"
  | "bad_content_length"
  | "length_with_transfer_encoding"
  | "bad_transfer_encoding"
  | "unsupported_transfer_encoding"
  | "bad_chunk"
  | "trailer_too_large"
  | "incomplete";

export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly kind: ProtocolErrorKind;

  /** `message` is for the log; it never holds bytes of the peer. */
  constructor(kind: ProtocolErrorKind, message: string = kind) {
    super(message);
    this.kind = kind;
  }
}
