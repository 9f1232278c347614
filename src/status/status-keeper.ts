/** Brings together what is known of the objects, the proxies and the addresses, and has the difference written. */
import type { KubeObject } from "../kube/api.ts";
import type { Logger } from "../ops/log.ts";
import type { Timers } from "../ops/timers.ts";
import { refKey } from "../resources/metadata.ts";
import type { Verdict } from "../translate/verdict.ts";
import { findingsOf, isServed, routeStatus, withdrawnStatus } from "./conditions.ts";
import { type EventRecorder, wholeSeconds } from "./events.ts";
import { type Entry, isSameObject, Ledger, type LedgerChange } from "./ledger.ts";
import {
  type Address,
  addressText,
  clearedStatus,
  type Publish,
  servedStatus,
  serviceAddresses,
} from "./load-balancer.ts";
import { changeNotes, type Note, problemNotes } from "./notes.ts";
import type { Observed } from "./observed.ts";
import type { StatusRef } from "./paths.ts";
import { type Programming, type ProxyState, Rollout } from "./rollout.ts";
import type { StatusWriter } from "./writer.ts";

/** News is collected for so long: a table is published, and some moments later the proxies have it. */
const HOLD_OFF_MS = 200;
/** A proxy that starts anew is away for less. */
export const NO_PROXY_GRACE_MS = 30_000;
/** What others did to our statuses is mended so often. */
export const RECHECK_MS = 300_000;
/** Events go after an hour, as the API server is commonly set up; what is still wrong is told again before. */
export const RETELL_MS = 1_800_000;
/** That we published some time; an Ingress with another one is not ours to clear. */
const MAX_FORMER_ADDRESSES = 256;

/** After a cycle of the reconciler; its `CycleReport` is one. */
export interface StatusUpdate {
  /** Of all objects that are ours. */
  readonly verdicts: readonly Verdict[];
  /** Of the table that was published. */
  readonly version: string;
  /** Why the newest objects are not in that table. */
  readonly failure?: string;
}

export interface KeeperOptions {
  readonly publish: Publish;
  readonly routeState: (ref: StatusRef) => Observed | undefined;
  readonly timers: Timers;
  readonly epochMs: () => number;
  readonly log: Pick<Logger, "info" | "warn">;
  readonly writer: StatusWriter;
  readonly events: EventRecorder;
}

export class StatusKeeper {
  readonly #options: KeeperOptions;
  readonly #rollout = new Rollout();
  readonly #ledger: Ledger;
  /** Were ours, and may carry something of ours still. Only while we lead. */
  readonly #leaving = new Map<string, Entry>();
  /** `undefined`: not known yet, or not to be published. */
  #addresses: readonly Address[] | undefined;
  readonly #everPublished = new Set<string>();
  #notice: string | undefined;
  #update: StatusUpdate | undefined;
  #hasUpdate = false;
  #withoutProxySinceMs: number;
  #leading = false;
  #closed = false;
  #holdOff: unknown;
  #grace: unknown;
  #repeats: unknown[] = [];

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#ledger = new Ledger((ref) => options.routeState(ref)?.generation);
    this.#withoutProxySinceMs = options.timers.monotonicMs();
    if (options.publish.type === "addresses") this.#publish(options.publish.addresses);
  }

  update(update: StatusUpdate): void {
    this.#update = update;
    this.#schedule();
  }

  proxies(states: readonly ProxyState[]): void {
    if (states.length === 0 && this.#rollout.connected > 0) {
      this.#withoutProxySinceMs = this.#options.timers.monotonicMs();
    }
    this.#rollout.proxies(states);
    this.#schedule();
  }

  publishedService(service: KubeObject | undefined): void {
    const { publish, log } = this.#options;
    if (publish.type !== "service") return;
    const { addresses, notice } = serviceAddresses(service);
    if (notice !== undefined && notice !== this.#notice) {
      const reason = `Service ${publish.namespace}/${publish.name} ${notice}`;
      log.warn({ reason }, "no address for the Ingresses");
    }
    this.#notice = notice;
    this.#publish(addresses);
    for (const entry of this.#ledger.entries()) {
      if (entry.ref.kind === "Ingress") this.#options.writer.enqueue(entry.ref);
    }
  }

  /** Everything is compared: who led before may have left anything undone. */
  lead(): void {
    const { writer, events } = this.#options;
    this.#sweep();
    this.#leading = true;
    writer.start();
    events.start();
    this.#recheck();
    this.#retell();
  }

  rest(): void {
    const { writer, events, timers } = this.#options;
    this.#leading = false;
    writer.stop();
    events.stop();
    this.#leaving.clear();
    for (const timer of this.#repeats) timers.cancel(timer);
    this.#repeats = [];
  }

  close(): void {
    this.#closed = true;
    this.#options.timers.cancel(this.#holdOff);
    this.#options.timers.cancel(this.#grace);
  }

  /** For the writer. */
  desired(ref: StatusRef, { uid, status, generation }: Observed): object | undefined {
    const entry = this.#ledger.get(ref);
    if (entry === undefined) return this.#withdrawn(ref, status);
    // Judged was another of the same name.
    if ((entry.verdict.uid ?? uid) !== uid) return undefined;
    if (ref.kind === "Ingress") return this.#ingress(entry, generation, status);
    const time = wholeSeconds(this.#options.epochMs());
    const { verdict, programming } = entry;
    return routeStatus({ verdict, programming, generation, current: status, time });
  }

  done(ref: StatusRef): void {
    const key = refKey(ref);
    if (this.#leaving.delete(key) && this.#ledger.get(ref) === undefined) this.#options.writer.forget(ref);
  }

  #ingress({ verdict }: Entry, generation: number, status: unknown): object | undefined {
    if (this.#addresses === undefined) return undefined;
    // Judged in another state, perhaps of another class: its verdict is on its way.
    if (verdict.generation !== undefined && verdict.generation !== generation) return undefined;
    if (isServed(verdict)) return servedStatus(status, this.#addresses);
    return clearedStatus(status, this.#everPublished);
  }

  #withdrawn(ref: StatusRef, status: unknown): object | undefined {
    const entry = this.#leaving.get(refKey(ref));
    if (entry === undefined) return undefined;
    if (ref.kind === "Ingress") return clearedStatus(status, this.#everPublished);
    const { generation } = entry;
    return generation === undefined ? undefined : withdrawnStatus(status, generation);
  }

  #publish(addresses: readonly Address[]): void {
    this.#addresses = addresses;
    for (const address of addresses) this.#everPublished.add(addressText(address));
    while (this.#everPublished.size > MAX_FORMER_ADDRESSES) {
      this.#everPublished.delete(this.#everPublished.values().next().value!);
    }
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#holdOff ??= this.#options.timers.start(() => this.#sweep(), HOLD_OFF_MS);
  }

  /** Takes what is new into the ledger; the leader has it written and told. */
  #sweep(): void {
    const { timers } = this.#options;
    timers.cancel(this.#holdOff);
    this.#holdOff = undefined;
    if (this.#closed) return;
    const update = this.#update;
    this.#update = undefined;
    const tables = { newest: 0, programming: this.#programmings() };
    if (update === undefined) {
      this.#take(this.#ledger.reconsider(tables));
      return;
    }
    this.#rollout.published(update.version, update.failure);
    const found = this.#ledger.update(update.verdicts, { ...tables, newest: this.#rollout.newest });
    // What is there at the start is not new.
    this.#take(found.changes, this.#hasUpdate);
    this.#hasUpdate = true;
    for (const entry of found.gone) this.#leave(entry);
  }

  /** Objects share few tables: each answer is made once. */
  #programmings(): (since: number) => Programming {
    const known = new Map<number, Programming>();
    return (since) => {
      const programming = known.get(since) ?? this.#programming(since);
      known.set(since, programming);
      return programming;
    };
  }

  /** A proxy that is away for a moment is no news for ten thousand objects. */
  #programming(since: number): Programming {
    const programming = this.#rollout.programming(since);
    if (programming.type !== "no-proxy") return programming;
    const { timers } = this.#options;
    const leftMs = this.#withoutProxySinceMs + NO_PROXY_GRACE_MS - timers.monotonicMs();
    if (leftMs <= 0) return programming;
    this.#grace ??= timers.start(() => {
      this.#grace = undefined;
      this.#sweep();
    }, leftMs);
    return { type: "pending" };
  }

  #take(changes: readonly LedgerChange[], isNews = true): void {
    if (!this.#leading) return;
    for (const { before, now } of changes) {
      this.#options.writer.enqueue(now.ref);
      const known = before !== undefined && isSameObject(before, now) ? findings(before) : undefined;
      this.#tell(now, isNews ? changeNotes(known, findings(now)) : problemNotes(findings(now)));
    }
  }

  #leave(entry: Entry): void {
    const { routeState, writer } = this.#options;
    if (!this.#leading) return;
    if (routeState(entry.ref) === undefined) {
      writer.forget(entry.ref);
      return;
    }
    this.#leaving.set(refKey(entry.ref), entry);
    writer.enqueue(entry.ref);
  }

  #tell({ ref, verdict }: Entry, notes: readonly Note[]): void {
    if (notes.length === 0) return;
    const uid = verdict.uid ?? this.#options.routeState(ref)?.uid;
    if (uid === undefined) return;
    for (const note of notes) this.#options.events.record({ ref, uid }, note);
  }

  #recheck(): void {
    for (const entry of this.#ledger.entries()) this.#options.writer.enqueue(entry.ref);
    this.#repeats[0] = this.#options.timers.start(() => this.#recheck(), RECHECK_MS);
  }

  #retell(): void {
    for (const entry of this.#ledger.entries()) this.#tell(entry, problemNotes(findings(entry)));
    this.#repeats[1] = this.#options.timers.start(() => this.#retell(), RETELL_MS);
  }
}

function findings({ verdict, programming }: Entry) {
  return findingsOf(verdict, programming);
}
