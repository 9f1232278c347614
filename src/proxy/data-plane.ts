/** One process's share of the traffic: listeners, the table in use, the tick of deadlines, draining. */
import { randomBytes } from "node:crypto";
import { STATIC_FILES_DEFAULTS, StaticFiles } from "../content/static-files.ts";
import { createDialer, type Listener, listen } from "../net/bun-sockets.ts";
import type { Dialer, Stream, StreamOwner } from "../net/stream.ts";
import type { AccessLog } from "../ops/access-log.ts";
import { type Clock, systemClock } from "../ops/clock.ts";
import type { Logger } from "../ops/log.ts";
import { openFilesLimit } from "../ops/open-files.ts";
import type { ProxyOptions } from "../ops/options.ts";
import type { ListenAddress } from "../ops/quantity.ts";
import type { Stats } from "../ops/stats.ts";
import type { StatsReport } from "../ops/stats-report.ts";
import { createTrust } from "../ops/trust.ts";
import { EndpointRegistry } from "../routing/endpoints.ts";
import { compileTable } from "../routing/table.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { PacketWriter } from "../uwsgi/encoder.ts";
import type { DataPlane } from "../workers/data-plane.ts";
import type { ProxyContext, ProxyLimits } from "./context.ts";
import { Http1Connection } from "./http1-connection.ts";
import { Moment } from "./moment.ts";

/** How often deadlines are looked at; they are that much late at most. */
const tickMs = 50;

export type Listen = (
  address: ListenAddress,
  reusePort: boolean,
  accept: (stream: Stream) => StreamOwner,
) => Listener;

export interface DataPlaneOptions {
  readonly limits: ProxyLimits;
  /** `""`: no Server field. */
  readonly serverHeader: string;
  readonly isTrusted: (address: string) => boolean;
  /** Other processes listen on the same addresses. */
  readonly sharesPorts: boolean;
}

export interface DataPlaneParts {
  readonly listen: Listen;
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly random: () => number;
  readonly stats: Stats;
  readonly accessLog: AccessLog;
  readonly logger: Logger;
}

function faultReporter({ stats, logger }: { readonly stats: Stats; readonly logger: Logger }) {
  return (error: unknown) => {
    stats.error("internal_fault");
    logger.error({ err: error }, "a fault in the gateway cost one connection");
  };
}

/** The data plane on Bun's sockets and the system's clock. */
export function createDataPlane(
  options: ProxyOptions,
  parts: { readonly stats: Stats; readonly accessLog: AccessLog; readonly logger: Logger },
): ProxyDataPlane {
  const reportFault = faultReporter(parts);
  return new ProxyDataPlane(
    {
      limits: { ...options, maxConnections: affordableConnections(options.maxConnections, parts.logger) },
      serverHeader: options.serverHeader,
      isTrusted: createTrust(options.trustedProxies),
      sharesPorts: options.workers > 1,
    },
    {
      ...parts,
      listen: (address, reusePort, accept) => listen(address, reusePort, accept, reportFault),
      dialer: createDialer(reportFault),
      clock: systemClock,
      random: Math.random,
    },
  );
}

/** Of its own, an upstream's, and a temporary file or two. */
const descriptorsPerConnection = 3;
/** For listeners, watches, logs and the like. */
const reservedDescriptors = 64;

/** With no descriptor left nothing can be accepted or told, so that must not come to pass. */
function affordableConnections(wanted: number, logger: Logger): number {
  const limit = openFilesLimit();
  const affordable = Math.max(1, Math.floor((limit - reservedDescriptors) / descriptorsPerConnection));
  if (affordable >= wanted) return wanted;
  logger.warn(
    { openFilesLimit: limit, maxConnections: affordable },
    "fewer connections: raise the limit on open files",
  );
  return affordable;
}

export class ProxyDataPlane implements DataPlane {
  private readonly options: DataPlaneOptions;
  private readonly parts: DataPlaneParts;
  private readonly context: ProxyContext;
  private readonly endpoints: EndpointRegistry;
  private readonly connections = new Set<Http1Connection>();
  private readonly forget = (connection: Http1Connection) => this.closed(connection);
  private listeners: Listener[] = [];
  private timer: ReturnType<typeof setInterval> | undefined;
  private drained: (() => void) | undefined;

  constructor(options: DataPlaneOptions, parts: DataPlaneParts) {
    this.options = options;
    this.parts = parts;
    this.endpoints = new EndpointRegistry(parts.stats);
    this.context = createContext(options, parts);
  }

  /** Swaps the table. Throws when it cannot be compiled, and then the one before stays in use. */
  apply(snapshot: Snapshot): void {
    const { stats, random } = this.parts;
    const before = this.context.table;
    // First, so that names which are gone do not count towards the bound on named series.
    if (snapshot.hosts !== before?.snapshot.hosts) stats.retainRoutes(routeIds(snapshot));
    const context = { endpoints: this.endpoints, routeStats: (id: string) => stats.route(id), random };
    const table = compileTable(snapshot, context, before);
    this.endpoints.swap(before?.pools ?? new Map(), table.pools);
    this.context.table = table;
  }

  /** Begins to accept; once, after the first table. Gives the addresses with their real ports. */
  async listen(addresses: readonly ListenAddress[]): Promise<readonly ListenAddress[]> {
    this.listeners = addresses.map((address) =>
      this.parts.listen(address, this.options.sharesPorts, (stream) => this.accept(stream)),
    );
    this.timer = setInterval(() => this.tick(), tickMs);
    return addresses.map(({ hostname }, i) => ({ hostname, port: this.listeners[i]!.port }));
  }

  report(): StatsReport {
    const nowMs = this.parts.clock.monotonicMs();
    for (const endpoint of this.endpoints.all()) endpoint.refreshStats(nowMs);
    return this.parts.stats.report();
  }

  private accept(stream: Stream): StreamOwner {
    const { stats } = this.parts;
    if (this.connections.size >= this.options.limits.maxConnections) {
      stats.connectionsRejected++;
      stats.boundHit("max_connections");
      stream.terminate();
      return refused;
    }
    const connection = new Http1Connection(stream, "http", this.context, this.forget);
    this.connections.add(connection);
    stats.connectionsAccepted++;
    stats.connectionsActive++;
    return connection;
  }

  private closed(connection: Http1Connection): void {
    if (!this.connections.delete(connection)) return;
    this.parts.stats.connectionsActive--;
    if (this.connections.size === 0) this.drained?.();
  }

  private tick(): void {
    const { context } = this;
    context.moment.renew();
    refreshIdentityLines(context);
    for (const connection of this.connections) connection.tick(context.moment.nowMs);
  }

  /** Stops accepting, closes idle connections, lets requests in flight finish, then closes what is left. */
  async drain(timeoutMs: number): Promise<void> {
    this.context.draining = true;
    for (const listener of this.listeners) listener.close();
    for (const connection of this.connections) connection.drain();
    if (this.connections.size > 0) {
      await new Promise<void>((resolve) => {
        const timeout = setTimeout(resolve, timeoutMs);
        this.drained = () => {
          clearTimeout(timeout);
          resolve();
        };
      });
    }
    for (const connection of this.connections) connection.destroy();
    clearInterval(this.timer);
    this.context.staticFiles.close();
  }
}

function routeIds({ hosts }: Snapshot): ReadonlySet<string> {
  return new Set(hosts.flatMap(({ rules }) => rules.map(({ id }) => id)));
}

/** Reads a connection that was turned away. */
const refused: StreamOwner = { received() {}, writable() {}, ended() {}, closed() {} };

function createContext(options: DataPlaneOptions, parts: DataPlaneParts): ProxyContext {
  const { clock } = parts;
  const context: ProxyContext = {
    ...parts,
    limits: options.limits,
    serverHeader: options.serverHeader,
    isTrusted: options.isTrusted,
    staticFiles: new StaticFiles({ ...STATIC_FILES_DEFAULTS, now: () => clock.monotonicMs() }),
    writer: new PacketWriter(),
    table: undefined,
    draining: false,
    moment: new Moment(clock),
    identityLines: { date: Buffer.alloc(0), server: Buffer.alloc(0), both: Buffer.alloc(0) },
    nextRequestId: requestIds(),
    reportFault: faultReporter(parts),
  };
  refreshIdentityLines(context);
  return context;
}

/** 32 hexadecimal digits, as NGINX's `$request_id`: a random half per process, and a count. */
function requestIds(): () => string {
  const prefix = randomBytes(8).toString("hex");
  let count = randomBytes(4).readUInt32LE(0);
  return () => prefix + (count++).toString(16).padStart(16, "0");
}

let shownSecond = -1;

function refreshIdentityLines(context: ProxyContext): void {
  const nowMs = context.clock.epochMs();
  const second = Math.floor(nowMs / 1000);
  if (second === shownSecond && context.identityLines.both.length > 0) return;
  shownSecond = second;
  const date = Buffer.from(`Date: ${new Date(nowMs).toUTCString()}\r\n`);
  const server = Buffer.from(context.serverHeader === "" ? "" : `Server: ${context.serverHeader}\r\n`);
  context.identityLines = { date, server, both: Buffer.concat([server, date]) };
}
