/** Clients that ask the same thing over and over while a test changes what is behind it. */
import { connect, type Socket } from "node:net";
import { onStopAll, parseMessages } from "../harness/index.ts";

export interface LoadOptions {
  readonly port: number;
  readonly host: string;
  readonly path?: string;
  readonly clients?: number;
}

/** What one body text was seen for, monotonic milliseconds. */
export interface Sighting {
  count: number;
  firstAtMs: number;
  lastAtMs: number;
}

export interface Load {
  readonly answered: () => number;
  /** By `STATUS body`. */
  readonly seen: ReadonlyMap<string, Sighting>;
  /** Connections that ended, or were refused, with a request under way. */
  readonly failures: readonly { readonly client: number; readonly atMs: number; readonly what: string }[];
  /** Resolves when every client has had its answer. */
  stop(): Promise<void>;
}

export function startLoad({ port, host, path = "/", clients = 8 }: LoadOptions): Load {
  const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const seen = new Map<string, Sighting>();
  const failures: { client: number; atMs: number; what: string }[] = [];
  let answered = 0;
  let stopping = false;

  const note = (key: string) => {
    answered++;
    const now = performance.now();
    const sighting = seen.get(key);
    if (sighting === undefined) seen.set(key, { count: 1, firstAtMs: now, lastAtMs: now });
    else {
      sighting.count++;
      sighting.lastAtMs = now;
    }
  };

  /** One connection, for as many requests as it lasts. */
  const connection = (client: number) =>
    new Promise<void>((resolve) => {
      let buffered = Buffer.alloc(0);
      let waiting = true;
      const socket: Socket = connect({ port, host: "127.0.0.1" }, () => socket.write(request));
      const over = (what: string) => {
        const part = buffered.length > 0 ? " within a response" : "";
        if (waiting) failures.push({ client, atMs: performance.now(), what: what + part });
        waiting = false;
        socket.destroy();
        resolve();
      };
      socket.on("data", (bytes: Buffer) => {
        buffered = Buffer.concat([buffered, bytes]);
        const response = parseMessages(buffered).responses[0];
        if (response?.complete !== true) return;
        buffered = Buffer.alloc(0);
        note(`${response.status} ${response.text}`);
        const closes = response.headerAll("connection").includes("close");
        waiting = !stopping && !closes;
        if (waiting) socket.write(request);
        else over("");
      });
      socket.on("end", () => over("closed"));
      socket.on("error", (error: NodeJS.ErrnoException) => over(error.code ?? "error"));
      socket.on("close", () => over("closed"));
    });

  const client = async (index: number) => {
    while (!stopping) {
      const before = failures.length;
      await connection(index);
      // A refused connection is no reason to spin.
      if (failures.length > before) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const all = Promise.all(Array.from({ length: clients }, (_, index) => client(index)));
  const stop = onStopAll(async () => {
    stopping = true;
    await all;
  });
  return { answered: () => answered, seen, failures, stop };
}
