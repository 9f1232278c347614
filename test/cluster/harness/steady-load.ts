/** Clients that ask a gateway steadily, each a request at a time, and keep book of what failed: for suites that change what is behind it. */
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import { onStopAll } from "../../harness/cleanup.ts";
import { parseMessages } from "../../harness/http-message.ts";

/** Between two requests of a client. */
const PAUSE_MS = 5;
/** Longer than anything that a gateway may take here; a request that hangs has failed. */
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * What the clients expect of a WSGI app in a pod: GET names the pod; POST names it with the SHA-1 of the body that arrived. A request takes
 * `REQUEST_SECONDS`, so that there is always one under way.
 */
export const ECHO_APP = `
import hashlib, os, time
def application(environ, start_response):
    body = environ["wsgi.input"].read()
    time.sleep(float(os.environ.get("REQUEST_SECONDS", "0")))
    digest = hashlib.sha1(body).hexdigest() if environ["REQUEST_METHOD"] == "POST" else ""
    answer = (os.environ["POD_NAME"] + " " + digest).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]
`;

export interface Client {
  readonly method: "GET" | "POST";
  readonly keepAlive: boolean;
}

/** One of each. */
export const EVERY_CLIENT: readonly Client[] = [
  { method: "GET", keepAlive: true },
  { method: "GET", keepAlive: false },
  { method: "POST", keepAlive: true },
  { method: "POST", keepAlive: false },
];

export interface Failure extends Client {
  /** Monotonic milliseconds. */
  readonly begunAtMs: number;
  readonly endedAtMs: number;
  readonly what: string;
}

export interface SteadyLoad {
  readonly failures: readonly Failure[];
  /** Requests that were answered, by the pod that did; a pod counts from its first answer. */
  readonly answered: ReadonlyMap<string, number>;
  /** By kind, as `GET keep-alive`. */
  readonly answeredBy: ReadonlyMap<string, number>;
  /** Resolves when nothing is under way and no connection is open; nothing is begun until `resume`. */
  pause(): Promise<void>;
  resume(): void;
  /** Resolves when every client has had its answer. */
  stop(): Promise<void>;
}

export interface SteadyLoadOptions {
  readonly port: number;
  readonly host: string;
  readonly clients: readonly Client[];
  /** Of a POST. */
  readonly bodyBytes?: number;
}

export function startSteadyLoad({ port, host, clients, bodyBytes = 100_000 }: SteadyLoadOptions): SteadyLoad {
  const failures: Failure[] = [];
  const answered = new Map<string, number>();
  const answeredBy = new Map<string, number>();
  let stopping = false;
  let gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined;
  const underWay = new Set<Promise<void>>();

  const connections = clients.map(({ keepAlive }) => new Connection(port, keepAlive));

  const run = async (client: Client, index: number) => {
    const connection = connections[index]!;
    const body = client.method === "POST" ? Buffer.alloc(bodyBytes, `client ${index} `) : undefined;
    const digest = body === undefined ? "" : createHash("sha1").update(body).digest("hex");
    while (!stopping) {
      while (gate !== undefined) await gate.opened;
      if (stopping) break;
      const begunAtMs = performance.now();
      const asked = connection.ask(client.method, host, body).then((answer) => {
        const [pod = "", got] = answer.split(" ");
        if (got !== digest) throw new Error(`answered ${JSON.stringify(answer.slice(0, 200))}`);
        count(answered, pod);
        count(answeredBy, kindOf(client));
      });
      const noted = asked.catch((error: Error) => {
        failures.push({ ...client, begunAtMs, endedAtMs: performance.now(), what: error.message });
      });
      underWay.add(noted);
      await noted;
      underWay.delete(noted);
      await Bun.sleep(PAUSE_MS);
    }
    connection.close();
  };

  const all = clients.map(run);
  const resume = () => {
    gate?.open();
    gate = undefined;
  };
  const stop = onStopAll(async () => {
    stopping = true;
    resume();
    await Promise.all(all);
  });
  return {
    ...{ failures, answered, answeredBy, resume, stop },
    pause: async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate ??= { opened: promise, open: resolve };
      await Promise.all(underWay);
      for (const connection of connections) connection.close();
    },
  };
}

export function kindOf({ method, keepAlive }: Client): string {
  return `${method} ${keepAlive ? "keep-alive" : "close"}`;
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** One connection at a time, as a client with keep-alive holds it. Asks never again by itself: that would hide what is looked for. */
class Connection {
  readonly #port: number;
  readonly #keepAlive: boolean;
  #socket: Socket | undefined;

  constructor(port: number, keepAlive: boolean) {
    this.#port = port;
    this.#keepAlive = keepAlive;
  }

  /** The body of a 200; rejects for anything else. */
  ask(method: string, host: string, body: Buffer | undefined): Promise<string> {
    const socket = this.#socket ?? connect({ port: this.#port, host: "127.0.0.1" });
    this.#socket = socket;
    const fields = [
      `${method} / HTTP/1.1\r\nHost: ${host}\r\n`,
      body === undefined ? "" : `Content-Length: ${body.length}\r\n`,
      this.#keepAlive ? "\r\n" : "Connection: close\r\n\r\n",
    ];
    return new Promise<string>((resolve, reject) => {
      let received = Buffer.alloc(0);
      const over = (what: string) => {
        this.close();
        reject(new Error(received.length > 0 ? `${what} within a response` : what));
      };
      socket.removeAllListeners();
      socket.on("data", (bytes: Buffer) => {
        received = Buffer.concat([received, bytes]);
        const [answer] = parseMessages(received).messages;
        if (answer === undefined || !answer.complete) return;
        if (!this.#keepAlive || answer.header("connection") === "close") this.close();
        if (answer.status === 200) resolve(answer.text);
        else reject(new Error(`status ${answer.status}`));
      });
      socket.on("end", () => over("connection ended"));
      socket.on("close", () => over("connection closed"));
      socket.on("error", (error) => over(error.message));
      socket.setTimeout(REQUEST_TIMEOUT_MS, () => over("no answer in time"));
      socket.write(Buffer.concat([Buffer.from(fields.join("")), body ?? Buffer.alloc(0)]));
    });
  }

  close(): void {
    this.#socket?.removeAllListeners();
    this.#socket?.on("error", () => {});
    this.#socket?.destroy();
    this.#socket = undefined;
  }
}
