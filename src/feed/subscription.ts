/** One subscriber as the publisher sees it. */
import type { Socket } from "node:net";
import { diffSnapshots } from "../snapshot/delta.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { encodeFrame, FrameError, FrameReader } from "./frames.ts";
import { FEED_PROTOCOL, type FromPublisher, type FromSubscriber, readFromSubscriber } from "./messages.ts";

/** What a subscriber says is short. */
const MAX_RECEIVED_FRAME_BYTES = 64 * 1024;
export const PING_INTERVAL_MS = 5_000;
/** A peer that is silent this long is gone, whatever TCP thinks. */
export const MAX_SILENCE_MS = 20_000;

export interface SubscriptionState {
  readonly name: string;
  /** Of the snapshot that it took up last; `""` for none. */
  readonly version: string;
  /** What it refused since then. */
  readonly refused?: { readonly version: string; readonly reason: string };
}

export interface SubscriptionEvents {
  readonly onChange: () => void;
  /** With the reason where the protocol was broken. */
  readonly onClosed: (error: Error | undefined) => void;
}

export class Subscription {
  readonly #socket: Socket;
  readonly #events: SubscriptionEvents;
  readonly #reader = new FrameReader(MAX_RECEIVED_FRAME_BYTES);
  readonly #pinging: NodeJS.Timeout;
  #silentMs = 0;
  #name: string | undefined;
  #version = "";
  #refused: { readonly version: string; readonly reason: string } | undefined;
  /** The snapshot of `#version`, if we know it. */
  #base: Snapshot | undefined;
  #sent: Snapshot | undefined;
  #newest: Snapshot | undefined;
  #error: Error | undefined;

  constructor(socket: Socket, events: SubscriptionEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.on("data", (bytes) => this.#receive(bytes));
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(this.#pinging);
      events.onClosed(this.#error);
    });
    this.#pinging = setInterval(() => this.#ping(), PING_INTERVAL_MS);
  }

  offer(snapshot: Snapshot): void {
    this.#newest = snapshot;
    this.#sendNewest();
  }

  state(): SubscriptionState | undefined {
    if (this.#name === undefined) return undefined;
    const state = { name: this.#name, version: this.#version };
    return this.#refused === undefined ? state : { ...state, refused: this.#refused };
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    this.#silentMs = 0;
    try {
      for (const message of this.#reader.read(bytes)) this.#obey(readFromSubscriber(message));
    } catch (error) {
      this.#error = error as Error;
      this.#socket.destroy();
    }
  }

  #obey(message: FromSubscriber): void {
    switch (message.type) {
      case "hello":
        if (message.protocol !== FEED_PROTOCOL) {
          throw new FrameError(`${message.name} speaks protocol ${message.protocol}, not ${FEED_PROTOCOL}`);
        }
        this.#name = message.name;
        this.#version = message.version;
        // There may be no snapshot yet, and it wants to know that it was let in.
        this.#send({ type: "ping" });
        break;
      case "ack":
        this.#version = this.#take(message.version).version;
        this.#refused = undefined;
        break;
      case "nack":
        this.#base = this.#takeRefused(message.version);
        this.#refused = { version: message.version, reason: message.reason };
        break;
      case "pong":
        return;
    }
    this.#events.onChange();
    this.#sendNewest();
  }

  #take(version: string): Snapshot {
    const sent = this.#sent;
    if (sent?.version !== version)
      throw new FrameError(`an answer to version ${version}, which was not sent`);
    this.#sent = undefined;
    this.#base = sent;
    return sent;
  }

  /** Gives what it has in use still. */
  #takeRefused(version: string): Snapshot | undefined {
    const base = this.#base;
    this.#take(version);
    return base;
  }

  /** One at a time: what comes meanwhile is told once, by the newest. */
  #sendNewest(): void {
    const newest = this.#newest;
    if (newest === undefined || this.#name === undefined || this.#sent !== undefined) return;
    if (this.#refused?.version === newest.version) return;
    if (this.#version === newest.version) {
      if (this.#base === undefined) this.#send({ type: "current", version: newest.version });
      this.#base = newest;
      this.#forgive();
      return;
    }
    this.#sent = newest;
    if (this.#base === undefined) this.#send({ type: "snapshot", snapshot: newest });
    else this.#send({ type: "delta", delta: diffSnapshots(this.#base, newest) });
  }

  /** What it refused is not wanted any more. */
  #forgive(): void {
    if (this.#refused === undefined) return;
    this.#refused = undefined;
    this.#events.onChange();
  }

  #ping(): void {
    this.#silentMs += PING_INTERVAL_MS;
    if (this.#silentMs > MAX_SILENCE_MS) this.#socket.destroy();
    else this.#send({ type: "ping" });
  }

  #send(message: FromPublisher): void {
    this.#socket.write(encodeFrame(message));
  }
}
