import { parseListenAddress } from "./quantity.ts";

/** Where a feed is: a Unix socket, or TCP with mutual TLS. */
export type FeedAddress =
  | { readonly type: "unix"; readonly path: string }
  | { readonly type: "tcp"; readonly hostname: string; readonly port: number };

/** Paths of PEM files. Both ends have a certificate and check the other's against `ca`. */
export interface FeedTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** The kernel's bound on a socket's path, less the final NUL: unix(7). */
const MAX_UNIX_PATH_BYTES = 107;

/** `unix:/path` or `HOST:PORT`. Throws `RangeError`. */
export function parseFeedAddress(text: string): FeedAddress {
  if (!text.startsWith("unix:")) return { type: "tcp", ...parseListenAddress(text) };
  const path = text.slice("unix:".length);
  if (!path.startsWith("/") || Buffer.byteLength(path) > MAX_UNIX_PATH_BYTES) {
    throw new RangeError(`expected unix: and an absolute path of at most ${MAX_UNIX_PATH_BYTES} bytes`);
  }
  return { type: "unix", path };
}

interface TlsFlags {
  readonly feedTlsCert?: string;
  readonly feedTlsKey?: string;
  readonly feedTlsCa?: string;
}

/** Throws `RangeError` where a feed over TCP lacks one of them. */
export function feedTls(addresses: readonly FeedAddress[], flags: TlsFlags): FeedTls | undefined {
  if (addresses.every(({ type }) => type === "unix")) return undefined;
  const { feedTlsCert: cert, feedTlsKey: key, feedTlsCa: ca } = flags;
  if (cert === undefined || key === undefined || ca === undefined) {
    throw new RangeError("a feed over TCP needs --feed-tls-cert, --feed-tls-key and --feed-tls-ca");
  }
  return { cert, key, ca };
}
