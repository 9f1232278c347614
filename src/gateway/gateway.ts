/** The life of a proxy: start, take up tables from where they come from, answer admins, drain. */

import { parseAddress } from "../net/stream.ts";
import { AdminServer } from "../ops/admin.ts";
import type { Logger } from "../ops/log.ts";
import { Metrics } from "../ops/metrics.ts";
import type { ProxyOptions } from "../ops/options.ts";
import { formatListenAddress, type ListenAddress } from "../ops/quantity.ts";
import type { ShutdownActions } from "../ops/shutdown.ts";
import { checkTempDir } from "../ops/temp-dir.ts";
import { SNAPSHOT_FORMAT, type Snapshot } from "../snapshot/snapshot.ts";
import type { DataPlanes } from "../workers/data-plane.ts";
import { routesPage } from "../workers/routes-page.ts";
import { type Routes, routesFrom, SourceError } from "./routes.ts";
import { pingUwsgi } from "./uwsgi-ping.ts";

/** What the data planes tell the rest of the gateway. */
export interface GatewayHooks {
  readonly onRestart: () => void;
  readonly onListening: (addresses: readonly ListenAddress[]) => void;
  readonly onCannotListen: (reason: string) => void;
}

export interface GatewayParts {
  readonly options: ProxyOptions;
  readonly log: Logger;
  readonly planes: (hooks: GatewayHooks) => DataPlanes;
  /** Subscribes to the signals that stop the process. */
  readonly onShutdown: (actions: ShutdownActions) => void;
  /** Ends the process with a status and, on standard error, a reason. */
  readonly exit: (code: number, reason?: string) => void;
}

/** `--ready-uwsgi` is for a sidecar, which has an app or two behind it. */
const MAX_PINGED_ENDPOINTS = 64;

export class Gateway {
  readonly #parts: GatewayParts;
  readonly #planes: DataPlanes;
  readonly #metrics = new Metrics(() => this.#planes.report());
  readonly #admin: AdminServer;
  readonly #routes: Routes;
  #table: Snapshot = { format: SNAPSHOT_FORMAT, version: "", hosts: [], settings: [], upstreams: [] };
  #draining = false;

  constructor(parts: GatewayParts) {
    const { options, log } = parts;
    this.#parts = parts;
    this.#planes = parts.planes({
      onRestart: () => this.#metrics.workerRestarted(),
      onListening: (addresses) =>
        log.info({ http: addresses.map(formatListenAddress) }, "listening for HTTP"),
      onCannotListen: (reason) => parts.exit(1, `error: option '--http' cannot be served: ${reason}`),
    });
    this.#admin = new AdminServer({
      notReady: () => this.#notReady(),
      metrics: async () => ({ contentType: this.#metrics.contentType, text: await this.#metrics.render() }),
      routes: () => this.#routesPage(),
      onError: (err) => log.error({ err }, "admin page failed"),
    });
    this.#routes = routesFrom(options.source, {
      apply: (snapshot) => this.#apply(snapshot),
      log,
      metrics: this.#metrics,
      allowUwsgiScript: options.allowUwsgiScript,
    });
  }

  /** Resolves when what the source says is in force, or cannot be, or is being waited for. */
  async start(): Promise<void> {
    const { options, log, exit, onShutdown } = this.#parts;
    try {
      checkTempDir(options.tempDir);
    } catch (error) {
      return exit(2, `error: option '--temp-dir' is invalid. ${(error as Error).message}`);
    }
    onShutdown({ drain: (signal) => void this.#drain(signal), exitNow: (code) => exit(code) });
    try {
      const admin = await this.#admin.listen(options.admin);
      log.info({ admin: formatListenAddress(admin) }, "listening for admins");
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const where = formatListenAddress(options.admin);
      return exit(
        1,
        `error: option '--admin' cannot be served: cannot listen at ${where}: ${code ?? message}`,
      );
    }
    try {
      await this.#routes.start();
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      exit(2, `error: ${error.message}`);
    }
  }

  /** Takes up no more tables and answers no more admins; the data planes are left as they are. */
  async close(): Promise<void> {
    await this.#routes.close();
    await this.#admin.close();
  }

  async #apply(snapshot: Snapshot): Promise<void> {
    const begunMs = performance.now();
    const result = await this.#planes.apply(snapshot);
    if (result.type === "rejected") {
      this.#metrics.configRejected();
      throw new Error(result.reason);
    }
    const tookMs = performance.now() - begunMs;
    this.#table = snapshot;
    this.#metrics.configApplied(snapshot.version, tookMs / 1000, Date.now());
    this.#parts.log.info({ version: snapshot.version, tookMs: Math.round(tookMs) }, "table in use");
  }

  async #notReady(): Promise<string | undefined> {
    if (this.#draining) return "draining";
    return this.#planes.notReady() ?? (this.#parts.options.readyUwsgi ? this.#silentUwsgi() : undefined);
  }

  async #silentUwsgi(): Promise<string | undefined> {
    const addresses = new Set(
      this.#table.upstreams.flatMap(({ endpoints }) => endpoints.map((each) => each.address)),
    );
    if (addresses.size > MAX_PINGED_ENDPOINTS) {
      return `more than ${MAX_PINGED_ENDPOINTS} endpoints: --ready-uwsgi is for a sidecar`;
    }
    const faults = await Promise.all(
      [...addresses].map(async (address) => {
        const fault = await pingUwsgi(parseAddress(address));
        return fault === undefined ? [] : [`uWSGI at ${address}: ${fault}`];
      }),
    );
    return faults.flat()[0];
  }

  async #routesPage(): Promise<unknown> {
    const { stats } = await this.#planes.report();
    return { ...routesPage(this.#table, stats), ...this.#routes.page() };
  }

  async #drain(signal: string): Promise<void> {
    const { options, log, exit } = this.#parts;
    this.#draining = true;
    log.info({ signal, delayMs: options.drainDelayMs, timeoutMs: options.drainTimeoutMs }, "draining");
    await new Promise((resolve) => setTimeout(resolve, options.drainDelayMs));
    await this.#planes.drain(options.drainTimeoutMs);
    await this.close();
    log.info("drained");
    exit(0);
  }
}
