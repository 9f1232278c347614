/** What all requests of a process share. */
import type { StaticFiles } from "../content/static-files.ts";
import type { Dialer } from "../net/stream.ts";
import type { AccessLog } from "../ops/access-log.ts";
import type { Clock } from "../ops/clock.ts";
import type { Logger } from "../ops/log.ts";
import type { Stats } from "../ops/stats.ts";
import type { RoutingTable } from "../routing/table.ts";
import type { PacketWriter } from "../uwsgi/encoder.ts";
import type { Moment } from "./moment.ts";

export interface ProxyLimits {
  readonly maxConnections: number;
  readonly maxRequestsPerConnection: number;
  readonly headerTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** To the client, between two successful writes. */
  readonly sendTimeoutMs: number;
  readonly bodyMemoryBytes: number;
  readonly responseMemoryBytes: number;
  readonly tempDir: string;
}

export interface ProxyContext {
  readonly limits: ProxyLimits;
  /** `""`: no Server field. */
  readonly serverHeader: string;
  readonly isTrusted: (address: string) => boolean;
  readonly dialer: Dialer;
  readonly clock: Clock;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  readonly stats: Stats;
  readonly accessLog: AccessLog;
  readonly logger: Logger;
  readonly staticFiles: StaticFiles;
  readonly writer: PacketWriter;
  /** The table in use; a request takes it once. */
  table: RoutingTable | undefined;
  draining: boolean;
  readonly moment: Moment;
  /** `Server` and `Date` lines, made anew each second. */
  identityLines: { readonly date: Buffer; readonly server: Buffer; readonly both: Buffer };
  nextRequestId(): string;
  /** Tells of a mistake of ours. */
  reportFault(error: unknown): void;
}
