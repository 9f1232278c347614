/** The spellings of numbers on the command line: durations, sizes, whole numbers and listen addresses. */

import { isIP } from "node:net";

export interface ListenAddress {
  /** An IP address or a host name, IPv6 without brackets. */
  readonly hostname: string;
  /** 0: any free port. */
  readonly port: number;
}

const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const BYTES_PER_UNIT: Readonly<Record<string, number>> = { "": 1, Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 };
/** What a timer can hold (2^31 - 1 ms, 24 days); above it `setTimeout` fires at once. */
const MAX_DURATION_MS = 2 ** 31 - 1;

/** `500ms`, `10s`, `1m`, `1h`, `1.5s` or `0`, in milliseconds. Throws `RangeError` with what was expected. */
export function parseDurationMs(text: string): number {
  if (text === "0") return 0;
  const found = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  if (!found) throw new RangeError("expected a duration such as 500ms, 10s or 1m");
  const ms = Math.round(Number(found[1]) * MS_PER_UNIT[found[2]!]!);
  if (ms > MAX_DURATION_MS) throw new RangeError("expected a duration of at most 24 days");
  return ms;
}

/** `65536`, `64Ki`, `1Mi` or `1Gi`, in bytes. Throws `RangeError` with what was expected. */
export function parseSizeBytes(text: string): number {
  const found = /^(\d+)(Ki|Mi|Gi)?$/.exec(text);
  if (!found) throw new RangeError("expected a size in bytes such as 65536, 64Ki or 1Mi");
  const bytes = Number(found[1]) * BYTES_PER_UNIT[found[2] ?? ""]!;
  if (!Number.isSafeInteger(bytes)) throw new RangeError("expected a smaller size");
  return bytes;
}

/** A whole number within both bounds. Throws `RangeError` with what was expected. */
export function parseWhole(text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw new RangeError(`expected a whole number from ${min} to ${max}`);
  return value;
}

/** `HOST:PORT`, with IPv6 in brackets: `0.0.0.0:80`, `[::]:80`. Throws `RangeError` with what was expected. */
export function parseListenAddress(text: string): ListenAddress {
  const found = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  if (!found || port > 65535) throw new RangeError("expected HOST:PORT such as 0.0.0.0:8080 or [::]:8080");
  if (found[1] !== undefined) {
    if (isIP(found[1]) !== 6) throw new RangeError("expected an IPv6 address between the brackets");
    return { hostname: found[1], port };
  }
  const hostname = found[2]!;
  if (!/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(hostname)) {
    throw new RangeError("expected a host before the port, such as 0.0.0.0 or localhost");
  }
  if (/^[\d.]+$/.test(hostname) && isIP(hostname) !== 4)
    throw new RangeError("expected a valid IPv4 address");
  return { hostname, port };
}

export function formatListenAddress(address: ListenAddress): string {
  return address.hostname.includes(":")
    ? `[${address.hostname}]:${address.port}`
    : `${address.hostname}:${address.port}`;
}
