import { fetch, type Response } from "undici";
import type { Clock } from "../ops/clock.ts";
import { KubeError, type Query } from "./api.ts";
import type { Access, Credentials } from "./credentials.ts";
import { Deadline } from "./deadline.ts";
import { describeFailure, errorOfAnswer, unreadable } from "./failure.ts";

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH";
  readonly path: string;
  readonly query?: Query;
  readonly body?: object;
}

export interface TransportLimits {
  /** For a whole answer, unless its reader renews the deadline. */
  readonly requestTimeoutMs: number;
  readonly maxAnswerBytes: number;
}

const MAX_ERROR_BYTES = 64 * 1024;

/** `GET /api/v1/services`, for messages. Without the query, which says little and can be long. */
export function subjectOf({ method, path }: Call): string {
  return `${method} ${path}`;
}

/** One request at a time out and its answer in; every failure is a `KubeError`, without secrets. */
export class Transport {
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #limits: TransportLimits;
  readonly #underWay = new Set<Deadline>();

  constructor(credentials: Credentials, clock: Clock, limits: TransportLimits) {
    this.#credentials = credentials;
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Breaks off what is under way. Requests first: a dispatcher that is closing already would let them go on. */
  async close(): Promise<void> {
    for (const deadline of this.#underWay) deadline.abort();
    await this.#credentials.close();
  }

  json(call: Call, signal: AbortSignal): Promise<unknown> {
    return this.send(call, signal, async (response) => {
      const text = await readText(response, this.#limits.maxAnswerBytes);
      if (text === undefined) throw unreadable(subjectOf(call), "the answer is too long");
      try {
        return JSON.parse(text);
      } catch {
        throw unreadable(subjectOf(call), "the answer is not JSON");
      }
    });
  }

  /** `read` takes a successful answer, and may renew the deadline as long as it makes progress. */
  async send<T>(
    call: Call,
    signal: AbortSignal,
    read: (response: Response, deadline: Deadline) => Promise<T>,
  ): Promise<T> {
    const deadline = new Deadline(signal, this.#limits.requestTimeoutMs);
    this.#underWay.add(deadline);
    try {
      const access = await beforeAbort(this.#credentials.access(), deadline.signal);
      const response = await this.#fetch(call, access, deadline.signal);
      if (response.ok) return await read(response, deadline);
      if (response.status === 401) await this.#credentials.refused(access);
      const body = (await readText(response, MAX_ERROR_BYTES)) ?? "";
      const retryAfter = response.headers.get("retry-after");
      throw errorOfAnswer(subjectOf(call), response.status, body, retryAfter, this.#clock.epochMs());
    } catch (error) {
      throw this.#failure(call, error, deadline);
    } finally {
      this.#underWay.delete(deadline);
      deadline.end();
    }
  }

  #fetch({ method, path, query, body }: Call, access: Access, signal: AbortSignal): Promise<Response> {
    const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    return fetch(access.server + path + queryText(query), {
      method,
      headers: {
        accept: "application/json",
        // The cluster's network is faster than gzip.
        "accept-encoding": "identity",
        "user-agent": "uwsgi-gateway",
        ...(body === undefined ? {} : { "content-type": type }),
        ...access.headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      dispatcher: access.dispatcher,
      redirect: "manual",
      signal,
    });
  }

  #failure(call: Call, error: unknown, deadline: Deadline): KubeError {
    if (error instanceof KubeError) return error;
    const subject = subjectOf(call);
    if (deadline.isOver) return new KubeError(0, "", `${subject}: no answer in time`);
    if (deadline.signal.aborted) return new KubeError(0, "", `${subject}: given up`);
    return new KubeError(0, "", `${subject}: ${describeFailure(error)}`);
  }
}

function queryText(query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) params.set(name, String(value));
  }
  return params.size === 0 ? "" : `?${params}`;
}

/** `undefined` where it is longer than that. */
async function readText(response: Response, maxBytes: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks, bytes).toString("utf8");
}

/** A plugin that fetches credentials cannot be stopped from here, but need not be waited for. */
function beforeAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
