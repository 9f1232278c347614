import { readFileSync } from "node:fs";
import type { FeedTls } from "../ops/feed-address.ts";

/** Read anew for each connection, so that certificates can be replaced. Throws the system's error. */
export function readTls(files: FeedTls): { cert: Buffer; key: Buffer; ca: Buffer } {
  return { cert: readFileSync(files.cert), key: readFileSync(files.key), ca: readFileSync(files.ca) };
}
