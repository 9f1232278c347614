/**
 * JSON requests to the test API server, with the administrator's certificate: for what tests write many times a second, where a
 * kubectl for each would be too slow.
 */
import { readFileSync } from "node:fs";
import { Agent, request as httpsRequest } from "node:https";
import type { CertificateFiles } from "./certificates.ts";

const TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 8;
const FIELD_MANAGER = "cluster-tests";

export interface ApiAnswer {
  readonly status: number;
  /** The parsed body: an object, a list or a Status; the text itself where it is no JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts on what it finds there
  readonly body: any;
}

export interface ApiRequests {
  /** Resolves whatever the status; rejects where there was no answer. `path` is absolute, with its query. */
  request(method: string, path: string, body?: object, contentType?: string): Promise<ApiAnswer>;
  /** Server-side apply, which creates or changes. Resolves with the object; rejects unless the status is 2xx. */
  apply(path: string, object: object): Promise<ApiAnswer["body"]>;
  close(): void;
}

export function apiRequests(port: number, caFile: string, client: CertificateFiles): ApiRequests {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: MAX_CONNECTIONS,
    ca: readFileSync(caFile),
    cert: readFileSync(client.certificate),
    key: readFileSync(client.key),
  });
  const request = (method: string, path: string, body?: object, contentType = "application/json") =>
    new Promise<ApiAnswer>((resolve, reject) => {
      const sent = httpsRequest(
        {
          ...{ agent, host: "127.0.0.1", port, method, path, timeout: TIMEOUT_MS },
          headers: body === undefined ? {} : { "content-type": contentType },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.once("error", reject);
          response.once("end", () => resolve(answer(response.statusCode ?? 0, chunks)));
        },
      );
      sent.once("timeout", () => sent.destroy(new Error(`${method} ${path}: silent for ${TIMEOUT_MS} ms`)));
      sent.once("error", reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  return {
    request,
    apply: async (path, object) => {
      const query = `fieldManager=${FIELD_MANAGER}&force=true`;
      const done = await request("PATCH", `${path}?${query}`, object, "application/apply-patch+yaml");
      if (done.status >= 300) throw new Error(`apply ${path}: ${done.status} ${JSON.stringify(done.body)}`);
      return done.body;
    },
    close: () => agent.destroy(),
  };
}

function answer(status: number, chunks: readonly Buffer[]): ApiAnswer {
  const text = Buffer.concat(chunks).toString();
  try {
    return { status, body: JSON.parse(text) };
  } catch {
    return { status, body: text };
  }
}
