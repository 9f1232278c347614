import type { IncomingMessage } from "node:http";
import type { Target } from "./resources.ts";

export type Verb = "list" | "watch" | "get" | "create" | "replace" | "patch" | "delete";

export interface ApiRequest {
  readonly verb: Verb;
  readonly method: string;
  readonly path: string;
  readonly plural: string;
  /** `""`: all. */
  readonly namespace: string;
  /** `""`: the collection. */
  readonly name: string;
  readonly isStatus: boolean;
  readonly query: Readonly<Record<string, string>>;
  /** Of the client's connection: tells whether connections are used again. */
  readonly clientPort: number;
  /** 0 while there is no answer. */
  status: number;
}

export type Matches = Partial<Pick<ApiRequest, "verb" | "plural" | "namespace" | "name" | "isStatus">> & {
  readonly where?: (request: ApiRequest) => boolean;
};

export function matches(request: ApiRequest, { where, ...fields }: Matches): boolean {
  const names = Object.keys(fields) as (keyof typeof fields)[];
  return names.every((name) => request[name] === fields[name]) && (where?.(request) ?? true);
}

const VERBS: Readonly<Record<string, Verb>> = {
  POST: "create",
  PUT: "replace",
  PATCH: "patch",
  DELETE: "delete",
};

/** `target`: `undefined` where the path is none of the API's. */
export function describe(message: IncomingMessage, url: URL, target: Target | undefined): ApiRequest {
  const query = Object.fromEntries(url.searchParams);
  const { namespace = "", name = "", isStatus = false } = target ?? {};
  const reading: Verb = name !== "" ? "get" : query["watch"] === "true" ? "watch" : "list";
  return {
    verb: VERBS[message.method!] ?? reading,
    method: message.method!,
    path: url.pathname,
    plural: target?.resource.plural ?? url.pathname.split("/").at(-1)!,
    namespace,
    name,
    isStatus,
    query,
    clientPort: message.socket.remotePort ?? 0,
    status: 0,
  };
}

export async function readBody(message: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as Record<string, unknown>;
}
