/** What a supervisor and its workers say to each other over the IPC channel, as JSON. */

import type { ProcessUsage } from "../ops/metric-family.ts";
import type { ListenAddress } from "../ops/quantity.ts";
import type { StatsReport } from "../ops/stats-report.ts";
import type { SnapshotDelta } from "../snapshot/delta.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";

export type ToWorker =
  | { readonly type: "apply"; readonly snapshot: Snapshot }
  /** To the table that it took up last. Answered like `apply`. */
  | { readonly type: "apply-delta"; readonly delta: SnapshotDelta }
  | { readonly type: "listen"; readonly addresses: readonly ListenAddress[] }
  | { readonly type: "report"; readonly request: number }
  /** Proves that it still turns its event loop; smaller than a report, which can name thousands of routes. */
  | { readonly type: "ping" }
  | { readonly type: "drain"; readonly timeoutMs: number };

export type FromWorker =
  /** Ready for messages; said first. */
  | { readonly type: "started" }
  /** Answers to `apply`, in order. */
  | { readonly type: "ack" }
  | { readonly type: "nack"; readonly reason: string }
  | { readonly type: "listening"; readonly addresses: readonly ListenAddress[] }
  /** It exits after this: the addresses cannot be had. */
  | { readonly type: "cannot-listen"; readonly reason: string }
  | { readonly type: "report"; readonly request: number; readonly report: WorkerReport }
  | { readonly type: "pong" };

export interface WorkerReport {
  readonly stats: StatsReport;
  readonly usage: Omit<ProcessUsage, "worker">;
}
