/** One worker as its supervisor sees it: a child process, the messages to it, and how far it has come. */

import type { ChildProcess } from "node:child_process";
import type { ListenAddress } from "../ops/quantity.ts";
import { diffSnapshots } from "../snapshot/delta.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { FromWorker, ToWorker, WorkerReport } from "./messages.ts";

const PING_INTERVAL_MS = 2000;
/** A worker that is silent this long takes no requests either. */
const MAX_SILENCE_MS = 10_000;
const MAX_SILENT_PINGS = MAX_SILENCE_MS / PING_INTERVAL_MS;
/** Within Prometheus' default scrape timeout, with room to spare. */
const REPORT_TIMEOUT_MS = 2000;

export type Answer = { readonly type: "ack" } | { readonly type: "nack"; readonly reason: string };

interface Offer {
  readonly snapshot: Snapshot;
  readonly answered: (answer: Answer | undefined) => void;
}

/** None is raised before the constructor has returned. */
export interface WorkerEvents {
  /** It has taken up a table. */
  applied(): void;
  listening(addresses: readonly ListenAddress[]): void;
  cannotListen(reason: string): void;
  /** It has answered nothing for too long, and is being killed. */
  stuck(): void;
  exited(code: number | null, signal: string | null): void;
}

export class WorkerProcess {
  readonly number: number;
  readonly #child: ChildProcess;
  readonly #events: WorkerEvents;
  /** Messages that wait for it to start; undefined once it has. */
  #queue: ToWorker[] | undefined = [];
  /** Tables handed over and not answered; it answers in order. */
  readonly #offers: Offer[] = [];
  /** The table that it took up last. */
  #inUse: Snapshot | undefined;
  readonly #reports = new Map<number, () => void>();
  #lastRequest = 0;
  readonly #pinging: ReturnType<typeof setInterval>;
  /**
   * Pings since it was last heard of. Counted rather than timed: where the supervisor itself was held up, that is one
   * ping late, and no worker is blamed for it.
   */
  #silentPings = 0;
  #hasExited = false;
  /** It has a table. */
  hasTable = false;
  /** It was told to listen. */
  told = false;
  serving = false;
  /** It came to listen, whatever became of it. */
  hasServed = false;
  lastReport: WorkerReport | undefined;

  constructor(number: number, child: ChildProcess, events: WorkerEvents) {
    this.number = number;
    this.#child = child;
    this.#events = events;
    child.on("message", (message) => this.#receive(message as FromWorker));
    child.on("exit", (code, signal) => this.#exit(code, signal));
    // Failing to start, or a message to one that is dying: without a process there is no "exit" event.
    child.on("error", () => {
      if (child.pid === undefined) this.#exit(null, null);
    });
    this.#pinging = setInterval(() => this.#ping(), PING_INTERVAL_MS);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Undefined: it died, or was killed because it did not answer. */
  apply(snapshot: Snapshot): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      // What it will have in use is only known where nothing is under way.
      const base = this.#offers.length === 0 ? this.#inUse : undefined;
      this.#offers.push({ snapshot, answered: resolve });
      if (base === undefined) this.#send({ type: "apply", snapshot });
      else this.#send({ type: "apply-delta", delta: diffSnapshots(base, snapshot) });
    });
  }

  listen(addresses: readonly ListenAddress[]): void {
    this.told = true;
    this.#send({ type: "listen", addresses });
  }

  /** Brings `lastReport` up to date, if the worker answers in time. */
  async refreshReport(): Promise<void> {
    if (this.#queue !== undefined) return;
    await new Promise<void>((resolve) => {
      const request = ++this.#lastRequest;
      const done = () => {
        clearTimeout(timer);
        this.#reports.delete(request);
        resolve();
      };
      const timer = setTimeout(done, REPORT_TIMEOUT_MS);
      this.#reports.set(request, done);
      this.#send({ type: "report", request });
    });
  }

  drain(timeoutMs: number): void {
    this.#send({ type: "drain", timeoutMs });
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #ping(): void {
    if (this.#silentPings === MAX_SILENT_PINGS) {
      clearInterval(this.#pinging);
      this.#events.stuck();
      this.kill();
      return;
    }
    this.#silentPings++;
    if (this.#queue === undefined) this.#send({ type: "ping" });
  }

  #send(message: ToWorker): void {
    if (this.#queue !== undefined) this.#queue.push(message);
    else if (this.#child.connected) this.#child.send(message);
  }

  #receive(message: FromWorker): void {
    this.#silentPings = 0;
    switch (message.type) {
      case "started":
        this.#sendQueued();
        break;
      case "ack":
        this.hasTable = true;
        this.#inUse = this.#offers[0]?.snapshot;
        this.#offers.shift()?.answered({ type: "ack" });
        this.#events.applied();
        break;
      case "nack":
        this.#offers.shift()?.answered({ type: "nack", reason: message.reason });
        break;
      case "listening":
        this.serving = this.hasServed = true;
        this.#events.listening(message.addresses);
        break;
      case "cannot-listen":
        this.#events.cannotListen(message.reason);
        break;
      case "report":
        this.lastReport = message.report;
        this.#reports.get(message.request)?.();
        break;
      case "pong":
        break;
    }
  }

  #sendQueued(): void {
    const queue = this.#queue ?? [];
    this.#queue = undefined;
    for (const message of queue) this.#send(message);
  }

  #exit(code: number | null, signal: string | null): void {
    if (this.#hasExited) return;
    this.#hasExited = true;
    this.serving = false;
    clearInterval(this.#pinging);
    for (const { answered } of this.#offers.splice(0)) answered(undefined);
    for (const done of [...this.#reports.values()]) done();
    this.#events.exited(code, signal);
  }
}
