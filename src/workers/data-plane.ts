/** The border between what serves traffic and what tells it what to serve, in one process or over IPC. */

import type { ScrapeInput } from "../ops/metric-family.ts";
import type { ListenAddress } from "../ops/quantity.ts";
import type { StatsReport } from "../ops/stats-report.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";

/** One process's listeners and request path. */
export interface DataPlane {
  /** Swaps the table. Throws when it cannot be compiled, and then the one before stays in use. */
  apply(snapshot: Snapshot): void;
  /**
   * Begins to accept; called once, after the first table. Gives the addresses in use, in the same order, with the
   * real port where 0 was asked for. Other processes may listen on the same address (`SO_REUSEPORT`).
   */
  listen(addresses: readonly ListenAddress[]): Promise<readonly ListenAddress[]>;
  report(): StatsReport;
  /**
   * Stops accepting, closes idle connections, lets requests in flight finish for `timeoutMs`, then closes what is
   * left.
   */
  drain(timeoutMs: number): Promise<void>;
}

export type ApplyResult =
  | { readonly type: "accepted" }
  /** No worker could use it; the table before stays in use. */
  | { readonly type: "rejected"; readonly reason: string };

/** All data planes of this gateway: the one in this process, or its workers. */
export interface DataPlanes {
  /** Hands over a table, one call at a time. The first one that is accepted begins the listening. */
  apply(snapshot: Snapshot): Promise<ApplyResult>;
  /** Why no traffic should come; undefined when at least one data plane serves. */
  notReady(): string | undefined;
  /** The addresses in use; undefined until something listens. */
  listening(): readonly ListenAddress[] | undefined;
  /** The summed counts. Never rejects: who does not answer in time is counted as it last was. */
  report(): Promise<ScrapeInput>;
  drain(timeoutMs: number): Promise<void>;
}
