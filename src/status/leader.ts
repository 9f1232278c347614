/**
 * One leader among the controllers that share a Lease, as client-go's leader election has it, so that the two can be mixed and
 * `kubectl describe lease` reads as usual. Clocks may differ: times in the Lease are for people. A contender waits from the moment
 * when it saw the last renewal; a leader counts from the moment before it sent its own. So the one stops before the other begins,
 * as long as no clock runs `LEASE_DURATION_MS / RENEW_DEADLINE_MS` as fast as another.
 */
import { type KubeApi, KubeError, type KubeObject } from "../kube/api.ts";
import type { Timers } from "../ops/timers.ts";
import { durationMsOf, holderOf, newLease, recordOf, releasedLease, takenLease } from "./lease.ts";
import { leasesPath } from "./paths.ts";
import { hasKubeStatus } from "./retry.ts";
import { within } from "./within.ts";

export const LEASE_DURATION_MS = 15_000;
export const RENEW_DEADLINE_MS = 10_000;
export const RETRY_PERIOD_MS = 2000;
/** Contenders wait up to so many retry periods longer, so that they do not ask together. */
const JITTER_PERIODS = 1.2;
/** One try; leaves time for another before the deadline. */
const ATTEMPT_TIMEOUT_MS = RENEW_DEADLINE_MS / 2;
const MAX_RELEASE_TRIES = 3;
const RELEASE_TIMEOUT_MS = 2000;

export interface ElectorOptions {
  readonly api: Pick<KubeApi, "get" | "create" | "replace">;
  readonly namespace: string;
  readonly name: string;
  /** Of this process and no other, before or after. */
  readonly identity: string;
  readonly timers: Timers;
  /** In [0, 1). */
  readonly random: () => number;
  readonly epochMs: () => number;
  readonly onGained: () => void;
  /** The deadline has passed, or another has the Lease, or we close: nothing more may be written. */
  readonly onLost: () => void;
  /** A try failed; there will be another. */
  readonly onError: (error: unknown) => void;
}

/** The Lease, and since when we know it. */
interface Seen {
  readonly lease: KubeObject;
  readonly record: string;
  readonly atMs: number;
}

export class Elector {
  readonly #options: ElectorOptions;
  readonly #path: string;
  readonly #closing = new AbortController();
  #seen: Seen | undefined;
  #leading = false;
  #leadsUntilMs = 0;
  #expiry: unknown;
  #next: unknown;
  #attempt: Promise<void> | undefined;

  constructor(options: ElectorOptions) {
    this.#options = options;
    this.#path = `${leasesPath(options.namespace)}/${options.name}`;
  }

  start(): void {
    this.#begin();
  }

  /** Ask before each write: timers may be late, this is not. */
  isLeader(): boolean {
    return this.#leading && this.#options.timers.monotonicMs() < this.#leadsUntilMs;
  }

  /** Stops leading at once, then gives the Lease back, so that another need not wait for it to run out. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#options.timers.cancel(this.#next);
    this.#lose();
    await this.#attempt;
    await this.#release();
  }

  #begin(): void {
    this.#attempt = this.#try().finally(() => {
      this.#attempt = undefined;
      if (!this.#closing.signal.aborted) this.#schedule();
    });
  }

  #schedule(): void {
    const { timers, random } = this.#options;
    const periods = this.#leading ? 1 : 1 + random() * JITTER_PERIODS;
    this.#next = timers.start(() => this.#begin(), RETRY_PERIOD_MS * periods);
  }

  async #try(): Promise<void> {
    const { timers, onError } = this.#options;
    try {
      const heldFromMs = await within(timers, ATTEMPT_TIMEOUT_MS, this.#closing.signal, (signal) =>
        this.#takeOrRenew(signal),
      );
      if (this.#closing.signal.aborted) return;
      if (heldFromMs === undefined) this.#lose();
      else this.#hold(heldFromMs + RENEW_DEADLINE_MS);
    } catch (error) {
      if (!this.#closing.signal.aborted) onError(error);
    }
  }

  /** The moment from which the Lease is ours, or `undefined` while another has it. */
  async #takeOrRenew(signal: AbortSignal): Promise<number | undefined> {
    if (this.isLeader() && this.#seen !== undefined) {
      try {
        return await this.#write(this.#seen.lease, signal);
      } catch (error) {
        if (!hasKubeStatus(error, 409) && !hasKubeStatus(error, 404)) throw error;
      }
    }
    const lease = await this.#read(signal);
    if (lease === undefined) return this.#create(signal);
    const seen = this.#see(lease);
    return this.#isOthers(seen) ? undefined : this.#write(lease, signal);
  }

  #isOthers({ lease, atMs }: Seen): boolean {
    const holder = holderOf(lease);
    if (holder === undefined || holder === this.#options.identity) return false;
    return this.#options.timers.monotonicMs() < atMs + durationMsOf(lease, LEASE_DURATION_MS);
  }

  async #read(signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      return await this.#options.api.get(this.#path, signal);
    } catch (error) {
      if (hasKubeStatus(error, 404)) return undefined;
      throw error;
    }
  }

  async #create(signal: AbortSignal): Promise<number> {
    const { api, name, namespace, identity, timers } = this.#options;
    const fromMs = timers.monotonicMs();
    const lease = newLease(name, namespace, identity, this.#times());
    this.#see(await api.create(leasesPath(namespace), lease, signal));
    return fromMs;
  }

  async #write(lease: KubeObject, signal: AbortSignal): Promise<number> {
    const { api, identity, timers } = this.#options;
    const fromMs = timers.monotonicMs();
    this.#see(await api.replace(this.#path, takenLease(lease, identity, this.#times()), signal));
    return fromMs;
  }

  #times() {
    return { leaseDurationMs: LEASE_DURATION_MS, epochMs: this.#options.epochMs() };
  }

  #see(lease: KubeObject): Seen {
    const record = recordOf(lease);
    const isNews = record !== this.#seen?.record;
    const atMs = isNews ? this.#options.timers.monotonicMs() : this.#seen!.atMs;
    this.#seen = { lease, record, atMs };
    return this.#seen;
  }

  /** An answer that came too late makes no leader. */
  #hold(untilMs: number): void {
    const { timers, onGained } = this.#options;
    if (untilMs <= timers.monotonicMs()) return;
    this.#leadsUntilMs = untilMs;
    this.#watchExpiry();
    if (this.#leading) return;
    this.#leading = true;
    onGained();
  }

  #watchExpiry(): void {
    const { timers } = this.#options;
    timers.cancel(this.#expiry);
    this.#expiry = timers.start(
      () => (this.isLeader() ? this.#watchExpiry() : this.#lose()),
      Math.max(1, this.#leadsUntilMs - timers.monotonicMs()),
    );
  }

  #lose(): void {
    this.#options.timers.cancel(this.#expiry);
    if (!this.#leading) return;
    this.#leading = false;
    this.#options.onLost();
  }

  /** A renewal that was given up may still arrive there: hence the tries. */
  async #release(): Promise<void> {
    const { timers, onError } = this.#options;
    try {
      await within(timers, RELEASE_TIMEOUT_MS, new AbortController().signal, (signal) =>
        this.#releaseWith(signal),
      );
    } catch (error) {
      onError(error);
    }
  }

  async #releaseWith(signal: AbortSignal): Promise<void> {
    const { api, identity, epochMs } = this.#options;
    for (let tries = 0; tries < MAX_RELEASE_TRIES; tries++) {
      const lease = await this.#read(signal);
      if (lease === undefined || holderOf(lease) !== identity) return;
      try {
        await api.replace(this.#path, releasedLease(lease, epochMs()), signal);
        return;
      } catch (error) {
        if (!hasKubeStatus(error, 409)) throw error;
      }
    }
    throw new KubeError(409, "Conflict", `Lease ${this.#path} could not be given back`);
  }
}
