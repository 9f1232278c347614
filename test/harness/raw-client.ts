/** A client that sends exactly the bytes it is told to and keeps exactly the bytes that come back. */
import { connect, type Socket } from "node:net";
import { type HttpMessage, latin1, parseMessages } from "./http-message.ts";
import type { SocketAddress } from "./processes.ts";

/**
 * What the client does, one after another. A string is sent with one byte per character (UTF-8 must be encoded
 * by the caller).
 */
export type Step =
  | string
  | Uint8Array
  /** Wait until what has come back holds this text. */
  | { readonly await: string | RegExp }
  | { readonly pauseMs: number }
  /** Close the sending side (FIN) and go on reading. */
  | { readonly halfClose: true }
  /** Close at once, with a reset. */
  | { readonly reset: true };

export interface ExchangeOptions {
  /**
   * When the exchange is over, if the server does not close first: after so many whole responses (1 by default), after a
   * silence, or never (`close`).
   */
  readonly until?: { readonly responses: number } | { readonly idleMs: number } | "close";
  /** Of the requests, for `until.responses`; by default the method that the first sent bytes begin with. */
  readonly methods?: readonly string[];
  /** After the last response, how long to wait for further bytes or for the server's close. */
  readonly lingerMs?: number;
  /** The whole exchange; then it ends with `timeout`. */
  readonly timeoutMs?: number;
}

export interface Exchange {
  /** All that came back. */
  readonly bytes: Uint8Array;
  /** The same, one byte per character. */
  readonly text: string;
  /**
   * `closed`: the server sent FIN; `reset`: it sent RST; `open`: the connection was still up when we had what we
   * waited for, and we closed it; `timeout`: likewise, but we were still waiting.
   */
  readonly ending: "closed" | "reset" | "open" | "timeout";
  /** The responses that are not interim. */
  readonly responses: readonly HttpMessage[];
  /** 1xx too. */
  readonly messages: readonly HttpMessage[];
  /** The first response; throws where there is none. */
  readonly response: HttpMessage;
}

const DEFAULT_LINGER_MS = 60;
const DEFAULT_TIMEOUT_MS = 10_000;
/** A server that announced `Connection: close` gets this long to do so. */
const CLOSE_LINGER_MS = 1_000;

/** One connection: sends `steps`, and resolves with what came back. Never rejects for what the server does. */
export async function rawExchange(
  target: number | SocketAddress,
  steps: Step | readonly Step[],
  options: ExchangeOptions = {},
): Promise<Exchange> {
  const list = (Array.isArray(steps) ? steps : [steps]) as readonly Step[];
  const connection = await openRaw(target);
  const deadline = performance.now() + (options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const methods = options.methods ?? [firstMethod(list)];
  for (const step of list) {
    if (connection.ending !== undefined) break;
    await connection.perform(step, deadline);
  }
  const finished = await waitForEnd(connection, options, methods, deadline);
  connection.destroy();
  return exchange(connection.received(), connection.ending ?? (finished ? "open" : "timeout"), methods);
}

async function waitForEnd(
  connection: RawConnection,
  options: ExchangeOptions,
  methods: readonly string[],
  deadline: number,
): Promise<boolean> {
  const until = options.until ?? { responses: 1 };
  if (until === "close") return connection.waitFor(() => false, deadline);
  if ("idleMs" in until) return connection.waitForSilence(until.idleMs, deadline);
  let last: HttpMessage | undefined;
  const enough = () => {
    const { responses } = parseLeniently(connection.received(), methods);
    last = responses[until.responses - 1];
    return last?.complete === true;
  };
  if (!(await connection.waitFor(enough, deadline))) return false;
  const closing = last?.headerAll("connection").some((value) => /\bclose\b/i.test(value)) ?? false;
  const lingerMs = options.lingerMs ?? (closing ? CLOSE_LINGER_MS : DEFAULT_LINGER_MS);
  await connection.waitFor(() => false, Math.min(deadline, performance.now() + lingerMs));
  return true;
}

function exchange(bytes: Uint8Array, ending: Exchange["ending"], methods: readonly string[]): Exchange {
  const { messages, responses } = parseLeniently(bytes, methods);
  return {
    bytes,
    text: latin1(bytes),
    ending,
    messages,
    responses,
    get response() {
      if (responses[0] === undefined)
        throw new Error(`no response (${ending}): ${JSON.stringify(latin1(bytes))}`);
      return responses[0];
    },
  };
}

/** Bytes that are no HTTP response (an HTTP/0.9 body, garbage) yield no messages; the test looks at `bytes` then. */
function parseLeniently(bytes: Uint8Array, methods: readonly string[]) {
  try {
    return parseMessages(bytes, methods);
  } catch {
    return { messages: [], responses: [] };
  }
}

function firstMethod(steps: readonly Step[]): string {
  const first = steps.find((step) => typeof step === "string" || step instanceof Uint8Array);
  const text = typeof first === "string" ? first : first instanceof Uint8Array ? latin1(first) : "";
  return /^\s*(\S+)/.exec(text)?.[1] ?? "GET";
}

/** An open connection, for tests that need to act between steps. Close it with `destroy()`. */
export interface RawConnection {
  /** How the server ended it; undefined while it has not. */
  readonly ending: "closed" | "reset" | undefined;
  /** All bytes so far. */
  received(): Uint8Array;
  /** How many; cheaper to ask for after each arrival. */
  readonly receivedBytes: number;
  perform(step: Step, deadline?: number): Promise<void>;
  send(data: string | Uint8Array): Promise<void>;
  /** Until `condition` holds, asked after each arrival, or the server ended it. False at the deadline. */
  waitFor(condition: () => boolean, deadline?: number): Promise<boolean>;
  waitForSilence(idleMs: number, deadline?: number): Promise<boolean>;
  /** Stop and go on taking bytes: a slow reader. */
  pause(): void;
  resume(): void;
  destroy(): void;
}

export async function openRaw(target: number | SocketAddress): Promise<RawConnection> {
  const address = typeof target === "number" ? { port: target, host: "127.0.0.1" } : target;
  const socket = connect({ host: "127.0.0.1", ...address, allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return rawConnection(socket);
}

function rawConnection(socket: Socket): RawConnection {
  const chunks: Uint8Array[] = [];
  let joined: Uint8Array = new Uint8Array(0);
  let receivedBytes = 0;
  let ending: "closed" | "reset" | undefined;
  let lastArrival = performance.now();
  let wake = () => {};
  const ended = (how: "closed" | "reset") => {
    ending ??= how;
    wake();
  };
  socket.on("data", (chunk: Buffer) => {
    chunks.push(new Uint8Array(chunk));
    receivedBytes += chunk.length;
    lastArrival = performance.now();
    wake();
  });
  socket.on("end", () => ended("closed"));
  socket.on("error", () => ended("reset"));
  socket.on("close", () => ended("closed"));

  const received = () => {
    if (chunks.length > 0) joined = Buffer.concat([joined, ...chunks.splice(0)]);
    return joined;
  };
  const nextEvent = (limitMs: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const waitFor = async (condition: () => boolean, deadline = performance.now() + DEFAULT_TIMEOUT_MS) => {
    while (!condition()) {
      if (ending !== undefined) return true;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      await nextEvent(leftMs);
    }
    return true;
  };
  const waitForSilence = async (idleMs: number, deadline = performance.now() + DEFAULT_TIMEOUT_MS) => {
    while (ending === undefined) {
      const quietMs = performance.now() - lastArrival;
      if (quietMs >= idleMs) return true;
      if (performance.now() >= deadline) return false;
      await nextEvent(idleMs - quietMs);
    }
    return true;
  };
  const send = (data: string | Uint8Array) =>
    new Promise<void>((resolve) => {
      const done = () => {
        socket.off("close", done);
        resolve();
      };
      socket.once("close", done);
      // Also called on failure: what the server did is told by `ending`.
      socket.write(typeof data === "string" ? Buffer.from(data, "latin1") : data, done);
    });
  const perform = async (step: Step, deadline?: number) => {
    if (typeof step === "string" || step instanceof Uint8Array) return send(step);
    if ("pauseMs" in step) return new Promise<void>((resolve) => setTimeout(resolve, step.pauseMs));
    if ("halfClose" in step) return void socket.end();
    if ("reset" in step) return void socket.resetAndDestroy();
    const wanted = step.await;
    await waitFor(() => {
      const text = latin1(received());
      return typeof wanted === "string" ? text.includes(wanted) : wanted.test(text);
    }, deadline);
  };
  return {
    get ending() {
      return ending;
    },
    received,
    get receivedBytes() {
      return receivedBytes;
    },
    perform,
    send,
    waitFor,
    waitForSilence,
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    destroy: () => socket.destroy(),
  };
}
