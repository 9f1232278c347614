import { KubeError, UNREADABLE } from "./api.ts";

/** Of a server's own words, as many as this. */
const MAX_MESSAGE_CHARS = 500;

/**
 * An error of the runtime, the network or client-node, in words that hold no secret. Only errors with a system's or TLS's code are
 * quoted: others repeat what they were given, such as `fetch`'s on a bad header (the token) and `JSON.parse`'s.
 */
export function describeFailure(error: unknown): string {
  for (let each = error; each instanceof Error; each = each.cause) {
    const { code, message } = each as NodeJS.ErrnoException;
    if (each instanceof AggregateError && each.errors.length > 0) return describeFailure(each.errors[0]);
    if (typeof code === "string" && QUOTABLE.test(code)) {
      return message.includes(code) ? message : `${code}: ${message}`;
    }
  }
  return error instanceof Error ? error.name : "unknown error";
}

/** `ECONNREFUSED`, `CERT_HAS_EXPIRED`, `ERR_TLS_CERT_ALTNAME_INVALID`, undici's `UND_ERR_SOCKET`, Bun's `ConnectionRefused`. */
const QUOTABLE =
  /^(E[A-Z]+|EAI_[A-Z]+|[A-Z_]*(CERT|CRL|CA|ISSUER|SIGNATURE|TLS|SSL)[A-Z_]*|UND_ERR_(SOCKET|CONNECT_TIMEOUT|HEADERS_TIMEOUT|BODY_TIMEOUT|CLOSED|DESTROYED)|Connection[A-Za-z]+|FailedToOpenSocket)$/;

/** `subject`: `GET /api/v1/services`. */
export function unreadable(subject: string, what: string): KubeError {
  return new KubeError(0, UNREADABLE, `${subject}: ${what}`);
}

/** An HTTP answer that is no success. `body` may be anything; a proxy's page of HTML says nothing. */
export function errorOfAnswer(
  subject: string,
  status: number,
  body: string,
  retryAfter: string | null,
  epochMs: number,
): KubeError {
  const said = readStatus(parse(body));
  const retryAfterMs = readRetryAfter(retryAfter, epochMs) ?? said.retryAfterMs;
  const words = [status, said.reason, said.message].filter((each) => each !== "").join(" ");
  return new KubeError(status, said.reason, `${subject}: ${words}`, retryAfterMs);
}

/** The `Status` object of an ERROR event. One without a code is the server's fault. */
export function errorOfEvent(subject: string, object: unknown): KubeError {
  const { code, reason, message, retryAfterMs } = readStatus(object);
  const words = [code, reason, message].filter((each) => each !== "").join(" ");
  return new KubeError(code, reason, `${subject}: ${words}`, retryAfterMs);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readStatus(value: unknown) {
  const { kind, code, reason, message, details } = (value ?? {}) as Record<string, unknown>;
  const seconds = (details as { retryAfterSeconds?: unknown } | null | undefined)?.retryAfterSeconds;
  const isStatus = kind === "Status";
  return {
    code: isStatus && typeof code === "number" ? code : 500,
    reason: isStatus && typeof reason === "string" ? reason.slice(0, MAX_MESSAGE_CHARS) : "",
    message: isStatus && typeof message === "string" ? message.slice(0, MAX_MESSAGE_CHARS) : "",
    retryAfterMs: typeof seconds === "number" && seconds > 0 ? seconds * 1000 : undefined,
  };
}

/** RFC 9110, 10.2.3: seconds, or a date. */
function readRetryAfter(text: string | null, epochMs: number): number | undefined {
  if (text === null) return undefined;
  if (/^[0-9]{1,9}$/.test(text.trim())) return Number(text) * 1000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - epochMs);
}
