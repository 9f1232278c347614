/**
 * The admin port: `/healthz`, `/readyz`, `/metrics`, `/routes`. For probes and operators, so it is small: GET and
 * HEAD, a bounded number of connections, one request on each and a bounded life for each.
 */

import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import {
  type AddressInfo,
  createServer as createNetServer,
  type Server as NetServer,
  type Socket,
} from "node:net";
import type { ListenAddress } from "./quantity.ts";

export interface AdminPages {
  /** Why the process should get no traffic; undefined when it should. */
  notReady(): Promise<string | undefined>;
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  /** The table in use, as a JSON value. */
  routes(): Promise<unknown>;
  /** A page failed; the client sees a 500 without the reason. */
  onError(error: unknown): void;
}

/** One more closes the oldest, which had its chance: half-sent requests cannot keep probes out. */
const MAX_CONNECTIONS = 64;
const MAX_CONNECTION_MS = 5_000;
const TEXT = "text/plain; charset=utf-8";

interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export class AdminServer {
  /** Accepts, since node:http's own bounds on connections have no effect under Bun. */
  readonly #listener: NetServer;
  /** Oldest first. */
  readonly #sockets = new Set<Socket>();

  constructor(pages: AdminPages) {
    const http = createHttpServer((request, response) => void answer(pages, request, response));
    this.#listener = createNetServer((socket) => {
      this.#bound(socket);
      http.emit("connection", socket);
    });
  }

  /** Gives the address in use, with the real port where 0 was asked for. Rejects when it cannot be had. */
  async listen(address: ListenAddress): Promise<ListenAddress> {
    await new Promise<void>((resolve, reject) => {
      this.#listener.once("error", reject);
      this.#listener.listen(address.port, address.hostname, resolve);
    });
    const bound = this.#listener.address() as AddressInfo;
    return { hostname: bound.address, port: bound.port };
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #bound(socket: Socket): void {
    const timer = setTimeout(() => socket.destroy(), MAX_CONNECTION_MS);
    if (this.#sockets.size === MAX_CONNECTIONS) this.#closeOldest();
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
    });
  }

  #closeOldest(): void {
    const [oldest] = this.#sockets;
    // "close" comes later, and it must not be counted until then.
    this.#sockets.delete(oldest!);
    oldest!.destroy();
  }
}

async function answer(pages: AdminPages, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const page = await pageFor(pages, request).catch((error: unknown): Page => {
    pages.onError(error);
    return text(500, "internal error");
  });
  const body = Buffer.from(page.body);
  response.writeHead(page.status, {
    "content-type": page.contentType,
    "content-length": body.length,
    "cache-control": "no-store",
    connection: "close",
    "x-content-type-options": "nosniff",
    ...(page.status === 405 ? { allow: "GET, HEAD" } : {}),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

async function pageFor(pages: AdminPages, request: IncomingMessage): Promise<Page> {
  const path = (request.url ?? "").split("?", 1)[0];
  const known = path === "/healthz" || path === "/readyz" || path === "/metrics" || path === "/routes";
  if (!known) return text(404, "not found: try /healthz, /readyz, /metrics or /routes");
  if (request.method !== "GET" && request.method !== "HEAD") return text(405, "only GET and HEAD");
  if (path === "/healthz") return text(200, "ok");
  if (path === "/readyz") return readiness(await pages.notReady());
  if (path === "/routes") {
    return {
      status: 200,
      contentType: "application/json",
      body: `${JSON.stringify(await pages.routes())}\n`,
    };
  }
  const metrics = await pages.metrics();
  return { status: 200, contentType: metrics.contentType, body: metrics.text };
}

function readiness(reason: string | undefined): Page {
  return reason === undefined ? text(200, "ready") : text(503, `not ready: ${reason}`);
}

function text(status: number, message: string): Page {
  return { status, contentType: TEXT, body: `${message}\n` };
}
