/**
 * `--workers N`: one data plane per child process, all on the same ports. The supervisor itself carries no
 * traffic. It hands the table to each, replaces those that die or get stuck, and sums their counts.
 */

import { type ChildProcess, fork } from "node:child_process";
import type { Logger } from "../ops/log.ts";
import type { ScrapeInput } from "../ops/metric-family.ts";
import type { ListenAddress } from "../ops/quantity.ts";
import { NO_STATS, restrictedTo, type StatsReport, sumReports, withoutGauges } from "../ops/stats-report.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { ApplyResult, DataPlanes } from "./data-plane.ts";
import { WORKER_VARIABLE } from "./worker.ts";
import { WorkerProcess } from "./worker-process.ts";

/** A worker that lived this long before it died is replaced without a pause, whatever was before. */
const STABLE_AFTER_MS = 10_000;
const FIRST_RESTART_DELAY_MS = 50;
/** For a worker that served: it will again, and is missed until then. */
const MAX_DELAY_AFTER_SERVING_MS = 250;
/** For one that died before it listened, which the next is likely to do as well. */
const MAX_DELAY_AFTER_START_MS = 10_000;
/** After the drain's own bound, for workers that do not come to an end by themselves. */
const KILL_AFTER_DRAIN_MS = 2000;

export interface SupervisorOptions {
  readonly workers: number;
  readonly http: readonly ListenAddress[];
  readonly log: Logger;
  /** Starts worker `number` with an IPC channel. */
  readonly start: (number: number) => ChildProcess;
  readonly monotonicMs: () => number;
  readonly onRestart: () => void;
  /** Once, when the first worker listens. */
  readonly onListening: (addresses: readonly ListenAddress[]) => void;
  /** No worker could ever listen, so there is nothing to live for. */
  readonly onCannotListen: (reason: string) => void;
}

/** Runs the program that this process runs, with the same arguments, marked as a worker. */
export function forkSelf(number: number): ChildProcess {
  return fork(process.argv[1]!, process.argv.slice(2), {
    execPath: process.execPath,
    execArgv: process.execArgv,
    env: { ...process.env, [WORKER_VARIABLE]: String(number) },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
}

/** No pause after the first death in a row, then 50 ms, doubling up to a bound. `lastMs`: what it was the last time. */
export function restartDelayMs(lastMs: number | undefined, hasServed: boolean): number {
  if (lastMs === undefined) return 0;
  const longest = hasServed ? MAX_DELAY_AFTER_SERVING_MS : MAX_DELAY_AFTER_START_MS;
  return Math.min(Math.max(2 * lastMs, FIRST_RESTART_DELAY_MS), longest);
}

export class Supervisor implements DataPlanes {
  readonly #options: SupervisorOptions;
  readonly #workers = new Map<number, WorkerProcess>();
  /** The last pause before a restart, by worker. */
  readonly #delaysMs = new Map<number, number>();
  readonly #restarts = new Set<ReturnType<typeof setTimeout>>();
  #accepted: Snapshot | undefined;
  /** Being handed over now. */
  #offered: Snapshot | undefined;
  #addresses: readonly ListenAddress[] | undefined;
  #draining = false;
  #whenAllExited: (() => void) | undefined;
  /** Counts of workers that are gone. */
  #retired: StatsReport = NO_STATS;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    for (let number = 1; number <= options.workers; number++) this.#start(number);
  }

  async apply(snapshot: Snapshot): Promise<ApplyResult> {
    this.#offered = snapshot;
    const answers = await Promise.all(
      [...this.#workers.values()].map((worker) => this.#offer(worker, snapshot)),
    );
    this.#offered = undefined;
    const refusal = answers.find((answer) => answer?.type === "nack");
    // With no answer at all nothing speaks against it: it is for the workers that are being started.
    const isAccepted = refusal === undefined || answers.some((answer) => answer?.type === "ack");
    if (!isAccepted) return { type: "rejected", reason: refusal.reason };
    this.#accepted = snapshot;
    this.#forgetUnnamed(snapshot);
    return { type: "accepted" };
  }

  notReady(): string | undefined {
    if (this.#draining) return "draining";
    for (const worker of this.#workers.values()) if (worker.serving) return undefined;
    return this.#accepted === undefined ? "no table yet" : "no worker serves";
  }

  listening(): readonly ListenAddress[] | undefined {
    return this.#addresses;
  }

  async report(): Promise<ScrapeInput> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.refreshReport()));
    const known = [...this.#workers.values()].filter((worker) => worker.lastReport !== undefined);
    return {
      stats: sumReports([this.#retired, ...known.map((worker) => worker.lastReport!.stats)]),
      processes: known.map((worker) => ({ worker: worker.number, ...worker.lastReport!.usage })),
    };
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    for (const restart of this.#restarts) clearTimeout(restart);
    if (this.#workers.size === 0) return;
    const exited = new Promise<void>((resolve) => (this.#whenAllExited = resolve));
    for (const worker of this.#workers.values()) worker.drain(timeoutMs);
    const kill = setTimeout(() => {
      for (const worker of this.#workers.values()) worker.kill();
    }, timeoutMs + KILL_AFTER_DRAIN_MS);
    await exited;
    clearTimeout(kill);
  }

  #start(number: number): void {
    const startedMs = this.#options.monotonicMs();
    const worker = new WorkerProcess(number, this.#options.start(number), {
      applied: () => this.#letListen(),
      listening: (addresses) => {
        this.#options.log.info({ worker: number, pid: worker.pid }, "worker listens");
        if (this.#addresses === undefined) this.#options.onListening(addresses);
        this.#addresses ??= addresses;
        this.#letListen();
      },
      cannotListen: (reason) => {
        if (this.#addresses === undefined) this.#options.onCannotListen(reason);
        else this.#options.log.error({ worker: number, reason }, "worker cannot listen");
      },
      stuck: () =>
        this.#options.log.error({ worker: number, pid: worker.pid }, "worker is stuck, killing it"),
      exited: (code, signal) => this.#exited(worker, startedMs, code, signal),
    });
    this.#workers.set(number, worker);
    // What the others have, and what they are being given.
    if (this.#accepted !== undefined) void this.#offer(worker, this.#accepted);
    if (this.#offered !== undefined) void this.#offer(worker, this.#offered);
  }

  async #offer(worker: WorkerProcess, snapshot: Snapshot): ReturnType<WorkerProcess["apply"]> {
    const answer = await worker.apply(snapshot);
    if (answer?.type === "nack") {
      const { version } = snapshot;
      this.#options.log.error(
        { worker: worker.number, version, reason: answer.reason },
        "worker refused the table",
      );
    }
    return answer;
  }

  /** The first worker listens alone, so that port 0 becomes one port for all. */
  #letListen(): void {
    const ready = [...this.#workers.values()].filter((worker) => worker.hasTable && !worker.told);
    if (this.#addresses !== undefined) {
      for (const worker of ready) worker.listen(this.#addresses);
    } else if (![...this.#workers.values()].some((worker) => worker.told)) {
      ready[0]?.listen(this.#options.http);
    }
  }

  #exited(worker: WorkerProcess, startedMs: number, code: number | null, signal: string | null): void {
    const { number } = worker;
    this.#workers.delete(number);
    if (worker.lastReport)
      this.#retired = sumReports([this.#retired, withoutGauges(worker.lastReport.stats)]);
    if (this.#draining) {
      if (this.#workers.size === 0) this.#whenAllExited?.();
      return;
    }
    const wasStable = this.#options.monotonicMs() - startedMs >= STABLE_AFTER_MS;
    const delayMs = restartDelayMs(wasStable ? undefined : this.#delaysMs.get(number), worker.hasServed);
    this.#delaysMs.set(number, delayMs);
    this.#options.log.error({ worker: number, pid: worker.pid, code, signal, delayMs }, "worker died");
    this.#options.onRestart();
    this.#restartAfter(delayMs, number);
    this.#letListen();
  }

  #restartAfter(delayMs: number, number: number): void {
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      this.#start(number);
    }, delayMs);
    this.#restarts.add(timer);
  }

  #forgetUnnamed(snapshot: Snapshot): void {
    if (this.#retired.routes.length === 0 && this.#retired.endpoints.length === 0) return;
    const routes = new Set(snapshot.hosts.flatMap((host) => host.rules.map((rule) => rule.id)));
    const endpoints = new Set(
      snapshot.upstreams.flatMap((upstream) => upstream.endpoints.map((e) => e.address)),
    );
    this.#retired = restrictedTo(
      this.#retired,
      (id) => routes.has(id) || id === "" || id === "other",
      (address) => endpoints.has(address) || address === "other",
    );
  }
}
