/** `--workers 1`: the data plane in this very process. */

import type { ScrapeInput } from "../ops/metric-family.ts";
import { processUsage } from "../ops/process-metrics.ts";
import type { ListenAddress } from "../ops/quantity.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { ApplyResult, DataPlane, DataPlanes } from "./data-plane.ts";

export interface InProcessHooks {
  readonly onListening: (addresses: readonly ListenAddress[]) => void;
  /** The addresses cannot be had, so there is nothing to live for. */
  readonly onCannotListen: (reason: string) => void;
}

export class InProcessDataPlane implements DataPlanes {
  readonly #plane: DataPlane;
  readonly #http: readonly ListenAddress[];
  readonly #hooks: InProcessHooks;
  #listening: readonly ListenAddress[] | undefined;
  #draining = false;

  constructor(plane: DataPlane, http: readonly ListenAddress[], hooks: InProcessHooks) {
    this.#plane = plane;
    this.#http = http;
    this.#hooks = hooks;
  }

  async apply(snapshot: Snapshot): Promise<ApplyResult> {
    try {
      this.#plane.apply(snapshot);
    } catch (error) {
      return { type: "rejected", reason: (error as Error).message };
    }
    if (this.#listening === undefined && !this.#draining) await this.#listen();
    return { type: "accepted" };
  }

  async #listen(): Promise<void> {
    try {
      this.#listening = await this.#plane.listen(this.#http);
      this.#hooks.onListening(this.#listening);
    } catch (error) {
      this.#hooks.onCannotListen((error as Error).message);
    }
  }

  notReady(): string | undefined {
    if (this.#draining) return "draining";
    return this.#listening === undefined ? "no table yet" : undefined;
  }

  listening(): readonly ListenAddress[] | undefined {
    return this.#listening;
  }

  async report(): Promise<ScrapeInput> {
    return { stats: this.#plane.report(), processes: [{ worker: 1, ...processUsage() }] };
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    await this.#plane.drain(timeoutMs);
  }
}
