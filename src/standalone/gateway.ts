/** The life of a gateway that reads its manifests from a folder: start, follow the folder, answer admins, drain. */

import { AdminServer } from "../ops/admin.ts";
import type { Logger } from "../ops/log.ts";
import { Metrics } from "../ops/metrics.ts";
import type { ProxyOptions } from "../ops/options.ts";
import { formatListenAddress, type ListenAddress } from "../ops/quantity.ts";
import type { ShutdownActions } from "../ops/shutdown.ts";
import { checkTempDir } from "../ops/temp-dir.ts";
import { type ControlReport, type FolderControl, startFolderControl } from "../reconcile/folder-control.ts";
import { problemText } from "../reconcile/report.ts";
import { SNAPSHOT_FORMAT, type Snapshot } from "../snapshot/snapshot.ts";
import { FolderError } from "../sources/folder/source.ts";
import type { DataPlanes } from "../workers/data-plane.ts";
import { routesPage } from "../workers/routes-page.ts";

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

/** Of one change to the folder; the rest is only counted. */
const MAX_LOGGED_PROBLEMS = 50;

export class StandaloneGateway {
  readonly #parts: GatewayParts;
  readonly #planes: DataPlanes;
  readonly #metrics = new Metrics(() => this.#planes.report());
  readonly #admin: AdminServer;
  #table: Snapshot = { format: SNAPSHOT_FORMAT, version: "", hosts: [], settings: [], upstreams: [] };
  #control: FolderControl | undefined;
  #report: ControlReport | undefined;
  #draining = false;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
    this.#planes = parts.planes({
      onRestart: () => this.#metrics.workerRestarted(),
      onListening: (addresses) =>
        parts.log.info({ http: addresses.map(formatListenAddress) }, "listening for HTTP"),
      onCannotListen: (reason) => parts.exit(1, `error: option '--http' cannot be served: ${reason}`),
    });
    this.#admin = new AdminServer({
      notReady: () => (this.#draining ? "draining" : this.#planes.notReady()),
      metrics: async () => ({ contentType: this.#metrics.contentType, text: await this.#metrics.render() }),
      routes: () => this.#routes(),
      onError: (err) => parts.log.error({ err }, "admin page failed"),
    });
  }

  /** Resolves when what the folder says is in force, or cannot be. */
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
      this.#control = await startFolderControl({
        folder: options.manifests,
        allowUwsgiScript: options.allowUwsgiScript,
        onSnapshot: (snapshot) => this.#apply(snapshot),
        onReport: (report) => this.#note(report),
      });
    } catch (error) {
      if (!(error instanceof FolderError)) throw error;
      exit(2, `error: option '--manifests' is invalid. ${error.message}`);
    }
  }

  /** Stops following the folder and answering admins; the data planes are left as they are. */
  async close(): Promise<void> {
    await this.#control?.close();
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

  #note(report: ControlReport): void {
    const { log } = this.#parts;
    this.#report = report;
    const broken = report.fileProblems.filter(({ severity }) => severity !== "warning");
    this.#metrics.manifests(new Set(broken.map(({ file }) => file)).size, report.problems.length);
    for (const problem of report.newProblems.slice(0, MAX_LOGGED_PROBLEMS)) {
      log.warn({ problem: problemText(problem) }, "manifest problem");
    }
    for (const problem of report.solvedProblems.slice(0, MAX_LOGGED_PROBLEMS)) {
      log.info({ problem: problemText(problem) }, "manifest problem solved");
    }
    const unlogged = report.newProblems.length - MAX_LOGGED_PROBLEMS;
    if (unlogged > 0) log.warn({ unlogged }, "more manifest problems, see /routes");
    if (report.failure !== undefined)
      log.error({ reason: report.failure }, "table refused, the last one stays");
  }

  async #routes(): Promise<unknown> {
    const { stats } = await this.#planes.report();
    const problems = this.#report?.problems.map(problemText) ?? [];
    return { ...routesPage(this.#table, stats), problems, failure: this.#report?.failure };
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
