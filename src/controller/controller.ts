/**
 * The life of a controller: follow the cluster, translate, give the table to the proxies, write back what became of each
 * object. Nothing here carries traffic: proxies serve on when this process is gone.
 */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { FeedPublisher } from "../feed/publisher.ts";
import type { KubeApi, KubeObject } from "../kube/api.ts";
import { AdminServer } from "../ops/admin.ts";
import type { ControllerOptions } from "../ops/controller-options.ts";
import type { Logger } from "../ops/log.ts";
import { formatListenAddress } from "../ops/quantity.ts";
import type { ShutdownActions } from "../ops/shutdown.ts";
import { NO_STATS } from "../ops/stats-report.ts";
import { systemTimers } from "../ops/timers.ts";
import { type CycleReport, Reconciler } from "../reconcile/reconciler.ts";
import { problemText, reportProblems } from "../reconcile/report.ts";
import { SNAPSHOT_FORMAT, type Snapshot } from "../snapshot/snapshot.ts";
import { type Observed, type Publish, parseAddress, type Status, startStatus } from "../status/status.ts";
import type { ObjectSet } from "../translate/objects.ts";
import type { TranslateOptions } from "../translate/options.ts";
import { routesPage } from "../workers/routes-page.ts";
import { ClusterObjects } from "./cluster-objects.ts";
import { FollowedObjects } from "./followed-objects.ts";
import { ControllerMetrics } from "./metrics.ts";
import { Translator } from "./translator.ts";

export interface ControllerParts {
  readonly options: ControllerOptions;
  readonly log: Logger;
  readonly api: KubeApi;
  readonly podName: string | undefined;
  readonly onShutdown: (actions: ShutdownActions) => void;
  /** Ends the process with a status and, on standard error, a reason. */
  readonly exit: (code: number, reason?: string) => void;
}

/** A rollout changes many pods within moments; one table can hold them all. */
const HOLD_OFF_MS = 5;
const MAX_HOLD_OFF_MS = 50;
/** `/routes` names so many problems. */
const MAX_SHOWN_PROBLEMS = 1_000;
const SYNC_LOG_INTERVAL_MS = 10_000;

export class Controller {
  readonly #parts: ControllerParts;
  readonly #objects: ClusterObjects;
  readonly #translator: Translator;
  readonly #reconciler: Reconciler<ObjectSet>;
  readonly #feed: FeedPublisher;
  readonly #metrics: ControllerMetrics;
  readonly #admin: AdminServer;
  #status: Status | undefined;
  #service: FollowedObjects | undefined;
  #table: Snapshot = { format: SNAPSHOT_FORMAT, version: "", hosts: [], settings: [], upstreams: [] };
  #report: CycleReport = { version: "", verdicts: [] };
  #closing = false;

  constructor(parts: ControllerParts) {
    const { options, log, api } = parts;
    const translateOptions = clusterOptions(options);
    this.#parts = parts;
    this.#translator = new Translator(translateOptions);
    this.#feed = new FeedPublisher({
      addresses: options.feed,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      onChange: () => this.#proxiesChanged(),
      onError: (error) => log.warn({ reason: error.message }, "a proxy was turned away"),
    });
    this.#objects = new ClusterObjects(api, options, translateOptions, () =>
      this.#reconciler.update(this.#objects.objects),
    );
    this.#reconciler = new Reconciler<ObjectSet>({
      translate: (objects) => this.#translator.translate(objects, this.#objects.takeChangedServices()),
      publish: (snapshot) => this.#publish(snapshot),
      report: (report) => this.#note(report),
      timers: systemTimers,
      holdOffMs: HOLD_OFF_MS,
      maxHoldOffMs: MAX_HOLD_OFF_MS,
    });
    this.#metrics = new ControllerMetrics(() => ({
      source: this.#objects.state,
      proxies: this.#feed.states(),
      translated: this.#translator.counts,
      verdicts: this.#report.verdicts,
      version: this.#table.version,
      status: this.#status?.report(),
    }));
    this.#admin = new AdminServer({
      notReady: async () => this.#notReady(),
      metrics: () => this.#metrics.render(),
      routes: async () => this.#routesPage(),
      onError: (err) => log.error({ err }, "admin page failed"),
    });
  }

  /** Resolves when the first table is published, however long the API server takes to answer. */
  async start(): Promise<void> {
    const { options, log, exit, onShutdown } = this.#parts;
    onShutdown({ drain: (signal) => void this.#stop(signal), exitNow: (code) => exit(code) });
    try {
      const admin = await this.#admin.listen(options.admin);
      log.info({ admin: formatListenAddress(admin) }, "listening for admins");
    } catch (error) {
      return exit(1, `error: option '--admin' cannot be served: ${(error as Error).message}`);
    }
    try {
      await this.#feed.listen();
    } catch (error) {
      return exit(1, `error: option '--feed' cannot be served: ${(error as Error).message}`);
    }
    const waiting = setInterval(() => this.#logWaiting(), SYNC_LOG_INTERVAL_MS);
    await this.#objects.synced;
    clearInterval(waiting);
    if (this.#closing) return;
    if (options.status) this.#startStatus();
    await this.#reconciler.runNow(this.#objects.objects);
    log.info(
      { objects: this.#objects.objects.objects.length, version: this.#table.version },
      "following the cluster",
    );
  }

  #startStatus(): void {
    const { options, log, api, podName } = this.#parts;
    this.#status = startStatus({
      api,
      identity: `${podName ?? hostname()}_${randomBytes(8).toString("hex")}`,
      leaseNamespace: options.leaseNamespace,
      leaseName: options.leaseName,
      publish: publishOf(options),
      routeState: (ref) => observed(this.#objects, ref),
      timers: systemTimers,
      random: Math.random,
      epochMs: Date.now,
      log,
    });
    this.#status.proxies(this.#proxyStates());
    if (options.publishService !== undefined) this.#followService(options.publishService);
  }

  #followService({ namespace, name }: NonNullable<ControllerOptions["publishService"]>): void {
    const service = new FollowedObjects(
      this.#parts.api,
      `/api/v1/namespaces/${namespace}/services`,
      { fieldSelector: `metadata.name=${name}` },
      () => this.#status?.publishedService(service.objects.get(name) as KubeObject | undefined),
    );
    this.#service = service;
  }

  #publish(snapshot: Snapshot): void {
    this.#table = snapshot;
    this.#feed.publish(snapshot);
    this.#metrics.published();
  }

  #note(report: CycleReport): void {
    this.#report = report;
    if (report.failure !== undefined) {
      this.#parts.log.error({ reason: report.failure }, "cannot translate, the last table stays");
    }
    this.#parts.log.debug({ version: report.version }, "translated");
    this.#status?.update(report);
  }

  #proxiesChanged(): void {
    this.#status?.proxies(this.#proxyStates());
  }

  #proxyStates() {
    return this.#feed.states().map(({ name, version, refused }) => ({
      name,
      ...(version === "" ? {} : { ackedVersion: version }),
      ...(refused === undefined ? {} : { nacked: refused }),
    }));
  }

  #notReady(): string | undefined {
    if (this.#closing) return "stopping";
    if (!this.#objects.isSynced) return `not synced: ${this.#unsynced().join("; ")}`;
    return this.#table.version === "" ? "no table yet" : undefined;
  }

  #unsynced(): string[] {
    const { namespaces, kinds } = this.#objects.state;
    const selected = { kind: "Namespace", ...namespaces };
    return [...kinds, ...(namespaces === undefined ? [] : [selected])]
      .filter(({ synced }) => !synced)
      .map(({ kind, lastError }) => `${kind}: ${lastError?.message ?? "is being listed"}`);
  }

  #logWaiting(): void {
    this.#parts.log.warn({ waitingFor: this.#unsynced() }, "the cluster's objects are not there yet");
  }

  #routesPage(): unknown {
    const problems = reportProblems(this.#report.verdicts, []);
    return {
      ...routesPage(this.#table, NO_STATS),
      problems: problems.slice(0, MAX_SHOWN_PROBLEMS).map(problemText),
      failure: this.#report.failure,
      proxies: this.#feed.states(),
    };
  }

  async #stop(signal: string): Promise<void> {
    const { log, exit } = this.#parts;
    this.#closing = true;
    log.info({ signal }, "stopping");
    await this.#status?.close();
    await Promise.all([this.#objects.stop(), this.#service?.stop(), this.#reconciler.close()]);
    await Promise.all([this.#feed.close(), this.#admin.close()]);
    exit(0);
  }
}

function clusterOptions(options: ControllerOptions): TranslateOptions {
  return {
    controllerName: options.controllerName,
    socketBackends: false,
    allowUwsgiScript: options.allowUwsgiScript,
    ...(options.zone === undefined ? {} : { zone: options.zone }),
    ...(options.maxSecrets === 0 ? { withoutSecrets: true } : {}),
  };
}

function publishOf({ publishService, publishAddresses }: ControllerOptions): Publish {
  if (publishService !== undefined) return { type: "service", ...publishService };
  const addresses = publishAddresses.flatMap((text) => parseAddress(text) ?? []);
  return addresses.length === 0 ? { type: "nothing" } : { type: "addresses", addresses };
}

function observed(
  objects: ClusterObjects,
  ref: Parameters<ClusterObjects["routeState"]>[0],
): Observed | undefined {
  const state = objects.routeState(ref);
  if (state === undefined) return undefined;
  const { uid = "", generation = 0, resourceVersion = "", status } = state;
  return { uid, generation, resourceVersion, status };
}
