/** The field names that the gateway itself acts on, and how it finds them without making strings. */
import { LOWER } from "./characters.ts";

/** A second line with this name is an error: two hops could read two different messages. */
export const UNIQUE = 1;
/** Speaks of one connection only (RFC 9110 section 7.6.1), or is `Proxy` (httpoxy): never passed on. */
export const HOP_BY_HOP = 2;
/** Says who the client is: set by the gateway, the client's own value counts from trusted peers only. */
export const FORWARDING = 4;
/** Makes a request conditional or partial. */
export const CONDITIONAL = 8;

const NAMES = {
  accept_encoding: 0,
  authorization: UNIQUE,
  cache_control: 0,
  connection: HOP_BY_HOP,
  content_disposition: 0,
  content_length: UNIQUE,
  content_range: UNIQUE,
  content_type: 0,
  cookie: 0,
  date: 0,
  expect: UNIQUE,
  expires: 0,
  forwarded: FORWARDING,
  host: UNIQUE,
  if_match: UNIQUE | CONDITIONAL,
  if_modified_since: UNIQUE | CONDITIONAL,
  if_none_match: UNIQUE | CONDITIONAL,
  if_range: UNIQUE | CONDITIONAL,
  if_unmodified_since: UNIQUE | CONDITIONAL,
  keep_alive: HOP_BY_HOP,
  location: 0,
  proxy: HOP_BY_HOP,
  proxy_authenticate: HOP_BY_HOP,
  proxy_authorization: HOP_BY_HOP,
  proxy_connection: HOP_BY_HOP,
  range: CONDITIONAL,
  referer: 0,
  server: 0,
  set_cookie: 0,
  status: 0,
  te: HOP_BY_HOP,
  trailer: HOP_BY_HOP,
  transfer_encoding: UNIQUE | HOP_BY_HOP,
  upgrade: HOP_BY_HOP,
  user_agent: 0,
  x_accel_buffering: 0,
  x_accel_charset: 0,
  x_accel_expires: 0,
  x_accel_limit_rate: 0,
  x_accel_redirect: 0,
  x_forwarded_for: FORWARDING,
  x_forwarded_host: FORWARDING,
  x_forwarded_port: FORWARDING,
  x_forwarded_proto: FORWARDING,
  x_forwarded_ssl: FORWARDING,
  x_real_ip: FORWARDING,
} as const;

export type KnownField = keyof typeof NAMES;

const names = Object.keys(NAMES) as KnownField[];

/** Numbers of the known names, 1 and up; 0 is any other name. */
export const FIELD = Object.fromEntries(names.map((name, i) => [name, i + 1])) as Record<KnownField, number>;
/** Flags by field number. */
export const FIELD_FLAGS: Uint8Array = Uint8Array.from([0, ...names.map((name) => NAMES[name])]);

const spelled: readonly Uint8Array[] = [
  new Uint8Array(0),
  ...names.map((name) => Buffer.from(name.replaceAll("_", "-"))),
];

/** The hash that readers fold over the lower-cased bytes of a name, from `HASH_SEED`. */
export const HASH_SEED = 0x2f;
export function hashStep(hash: number, lowerByte: number): number {
  return (Math.imul(hash, 33) ^ lowerByte) | 0;
}

const TABLE_SIZE = 4096;
const table: Uint8Array = buildTable();

function buildTable(): Uint8Array {
  const built = new Uint8Array(TABLE_SIZE);
  for (let field = 1; field < spelled.length; field++) {
    const at = slot(spelled[field]!.reduce(hashStep, HASH_SEED));
    if (built[at] !== 0)
      throw new Error(`field names ${names[built[at]! - 1]} and ${names[field - 1]} collide`);
    built[at] = field;
  }
  return built;
}

function slot(hash: number): number {
  return (hash ^ (hash >>> 15)) & (TABLE_SIZE - 1);
}

/** The number of the name at `bytes[from, to)`, whose hash the reader has folded; 0 when it is not a known one. */
export function knownField(bytes: Uint8Array, from: number, to: number, hash: number): number {
  const field = table[slot(hash)]!;
  if (field === 0) return 0;
  const name = spelled[field]!;
  if (name.length !== to - from) return 0;
  for (let i = 0; i < name.length; i++) if (LOWER[bytes[from + i]!] !== name[i]) return 0;
  return field;
}

/** Whether the names at two places are the same but for case. */
export function sameName(bytes: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (LOWER[bytes[a + i]!] !== LOWER[bytes[b + i]!]) return false;
  return true;
}
