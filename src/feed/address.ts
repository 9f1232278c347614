/** Where a feed is: a Unix socket, or TCP with mutual TLS. */
import { readFileSync } from "node:fs";

export type FeedAddress =
  | { readonly type: "unix"; readonly path: string }
  | { readonly type: "tcp"; readonly hostname: string; readonly port: number };

/** Paths of PEM files. Both ends have a certificate and check the other's against `ca`. */
export interface FeedTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** Read anew for each connection, so that certificates can be replaced. Throws the system's error. */
export function readTls(files: FeedTls): { cert: Buffer; key: Buffer; ca: Buffer } {
  return { cert: readFileSync(files.cert), key: readFileSync(files.key), ca: readFileSync(files.ca) };
}
