/** The proxy's end of the feed: connects, takes up what comes, answers, and connects again for as long as it lives. */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { FeedAddress, FeedTls } from "../ops/feed-address.ts";
import { applyDelta, type SnapshotDelta } from "../snapshot/delta.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { encodeFrame, FrameReader } from "./frames.ts";
import {
  boundedText,
  FEED_PROTOCOL,
  type FromPublisher,
  type FromSubscriber,
  readFromPublisher,
} from "./messages.ts";
import { MAX_SILENCE_MS } from "./subscription.ts";
import { readTls } from "./tls-files.ts";

/** The controller beside us is back within moments, as a rule. */
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 2_000;

export interface SubscriberOptions {
  readonly address: FeedAddress;
  /** For TCP. */
  readonly tls?: FeedTls;
  /** Who we are, for the controller's log and conditions. */
  readonly name: string;
  /** Of an earlier run, in use already. */
  readonly snapshot?: Snapshot;
  /** Puts a snapshot in force. A rejection leaves the one before in force, and the controller learns the reason. */
  readonly onSnapshot: (snapshot: Snapshot) => Promise<void>;
  /** Connected to a controller, or not any more and why. */
  readonly onConnection: (state: ConnectionState) => void;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
}

export type ConnectionState =
  | { readonly type: "connected" }
  | { readonly type: "lost"; readonly reason: string };

export class FeedSubscriber {
  readonly #options: SubscriberOptions;
  #inUse: Snapshot | undefined;
  #socket: Socket | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;
  /** Messages are taken up one after the other. */
  #work: Promise<void> = Promise.resolve();

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.#inUse = options.snapshot;
  }

  start(): void {
    let socket: Socket;
    try {
      socket = this.#dial();
    } catch (error) {
      this.#lost((error as Error).message);
      return;
    }
    this.#socket = socket;
    const reader = new FrameReader();
    let reason = "the controller closed the connection";
    const { address } = this.#options;
    socket.once(address.type === "tcp" ? "secureConnect" : "connect", () => this.#greet(socket));
    // Not before: over TLS 1.3 a client's handshake is done before the server has looked at its certificate.
    socket.once("data", () => this.#connected());
    socket.setTimeout(MAX_SILENCE_MS, () => socket.destroy(new Error("the controller is silent")));
    socket.on("data", (bytes) => {
      try {
        for (const message of reader.read(bytes)) this.#queue(socket, readFromPublisher(message));
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on("error", (error) => (reason = error.message));
    socket.on("close", () => this.#lost(reason));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.destroy();
    await this.#work;
  }

  #dial(): Socket {
    const { address, tls } = this.#options;
    if (address.type === "unix") return connect({ path: address.path });
    if (tls === undefined) throw new Error("a feed over TCP needs certificates");
    const { hostname, port } = address;
    return connectTls({ ...readTls(tls), host: hostname, port, servername: hostname, minVersion: "TLSv1.3" });
  }

  #greet(socket: Socket): void {
    // What the connection before brought may be on its way into use.
    this.#work = this.#work.then(() => {
      const version = this.#inUse?.version ?? "";
      say(socket, { type: "hello", protocol: FEED_PROTOCOL, name: this.#options.name, version });
    });
  }

  #connected(): void {
    this.#options.onConnection({ type: "connected" });
  }

  #lost(reason: string): void {
    this.#socket = undefined;
    if (this.#closed) return;
    this.#options.onConnection({ type: "lost", reason });
    const delayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#failures++, 10));
    this.#retry = setTimeout(() => this.start(), delayMs * (0.5 + this.#options.random() / 2));
  }

  #queue(socket: Socket, message: FromPublisher): void {
    // A publisher that lets us in only to turn us away is not asked again at once.
    this.#failures = 0;
    if (message.type === "ping") say(socket, { type: "pong" });
    if (message.type === "snapshot" || message.type === "delta") {
      this.#work = this.#work.then(() => this.#takeUp(socket, message));
    }
  }

  async #takeUp(
    socket: Socket,
    message: Extract<FromPublisher, { readonly type: "snapshot" | "delta" }>,
  ): Promise<void> {
    const { version } = message.type === "delta" ? message.delta : message.snapshot;
    // Of a connection that is gone: the next one brings the newest.
    if (socket.destroyed) return;
    try {
      const snapshot = message.type === "delta" ? this.#changed(socket, message.delta) : message.snapshot;
      if (snapshot === undefined) return;
      await this.#options.onSnapshot(snapshot);
      this.#inUse = snapshot;
      say(socket, { type: "ack", version });
    } catch (error) {
      say(socket, { type: "nack", version, reason: boundedText((error as Error).message) });
    }
  }

  /** `undefined` where the publisher is mistaken about what we have: a new connection tells it, and brings all of it. */
  #changed(socket: Socket, delta: SnapshotDelta): Snapshot | undefined {
    if (this.#inUse?.version === delta.base) return applyDelta(this.#inUse, delta);
    socket.destroy(new Error(`a delta for version ${delta.base}, which is not in use here`));
    return undefined;
  }
}

function say(socket: Socket, message: FromSubscriber): void {
  if (!socket.destroyed) socket.write(encodeFrame(message));
}
