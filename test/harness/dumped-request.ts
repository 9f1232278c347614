/** What `dump_vars.py` answers with. */
import type { HttpMessage } from "./http-message.ts";

export interface DumpedRequest {
  /** In the order sent; strings hold one byte per character. */
  readonly vars: Readonly<Record<string, string>>;
  /** What uWSGI made of the vars as `wsgi.url_scheme`. */
  readonly urlScheme: string;
  readonly bodyLength: number;
  /** Lower-case hex. */
  readonly bodySha256: string;
}

export function dumpedRequest(response: HttpMessage | undefined): DumpedRequest {
  if (response?.status !== 200)
    throw new Error(`no dump in the response: ${response?.status} ${response?.text}`);
  return JSON.parse(response.text) as DumpedRequest;
}
