/** The controller's `/metrics`: everything is read at scrape time from what the parts know of themselves. */

import type { Metric } from "prom-client";
import { Counter, Gauge, Registry } from "prom-client";
import type { SubscriptionState } from "../feed/subscription.ts";
import { processFamilies } from "../ops/process-metrics.ts";
import { NO_STATS } from "../ops/stats-report.ts";
import type { KubeSourceState } from "../sources/kube/source.ts";
import type { StatusReport } from "../status/status.ts";
import type { Verdict } from "../translate/verdict.ts";
import type { TranslateCounts } from "./translator.ts";

export interface ControllerReport {
  readonly source: KubeSourceState;
  readonly proxies: readonly SubscriptionState[];
  readonly translated: Readonly<TranslateCounts>;
  readonly verdicts: readonly Verdict[];
  readonly version: string;
  readonly status: StatusReport | undefined;
}

const PREFIX = "uwsgi_gateway_controller_";

export class ControllerMetrics {
  readonly #registry = new Registry();
  readonly #read: () => ControllerReport;
  readonly #published = this.#counter("tables_published_total", "Tables given to the proxies", []);
  readonly #translations = this.#gauge("translations", "Translations so far, by how much was translated", [
    "scope",
  ]);
  readonly #synced = this.#gauge("kind_synced", "1 once all objects of the kind were listed", ["kind"]);
  readonly #objects = this.#gauge("objects", "Objects in force", ["kind"]);
  readonly #invalid = this.#gauge("objects_invalid", "Objects whose newest state is refused", ["kind"]);
  readonly #failing = this.#gauge("kind_failing", "1 while the kind cannot be followed", ["kind"]);
  readonly #relists = this.#gauge("relists", "Lists after the first one, so far", ["kind"]);
  readonly #conditions = this.#gauge("conditions", "Routes by condition", ["type", "status", "reason"]);
  readonly #proxies = this.#gauge("proxies", "Connected proxies, by how far they are", ["state"]);
  readonly #leader = this.#gauge("leader", "1 while this controller writes statuses", []);
  readonly #queue = this.#gauge("status_queue_length", "Objects whose status may have to be written", []);
  readonly #writes = this.#gauge("status_writes", "Status writes so far, by outcome", ["outcome"]);
  readonly #events = this.#gauge("events", "Events so far, by outcome", ["outcome"]);

  constructor(read: () => ControllerReport) {
    this.#read = read;
    for (const family of processFamilies) {
      if (family.name.startsWith("uwsgi_gateway_worker")) continue;
      const values = () => family.values({ stats: NO_STATS, processes: [] });
      const metric = { name: family.name, get: () => ({ ...family, aggregator: "sum", values: values() }) };
      this.#registry.registerMetric(metric as unknown as Metric);
    }
  }

  published(): void {
    this.#published.inc();
  }

  async render(): Promise<{ contentType: string; text: string }> {
    const report = this.#read();
    this.#readSource(report);
    this.#readVerdicts(report.verdicts);
    this.#readProxies(report);
    this.#readStatus(report.status);
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  #readSource({ source, translated }: ControllerReport): void {
    this.#translations.set({ scope: "full" }, translated.full);
    this.#translations.set({ scope: "endpoints" }, translated.endpointsOnly);
    for (const { kind, synced, objects, invalid, lastError, relists } of source.kinds) {
      this.#synced.set({ kind }, synced ? 1 : 0);
      this.#objects.set({ kind }, objects);
      this.#invalid.set({ kind }, invalid);
      this.#failing.set({ kind }, lastError === undefined ? 0 : 1);
      this.#relists.set({ kind }, relists);
    }
  }

  #readVerdicts(verdicts: readonly Verdict[]): void {
    this.#conditions.reset();
    for (const { conditions } of verdicts) {
      for (const { type, status, reason } of conditions) this.#conditions.inc({ type, status, reason });
    }
  }

  #readProxies({ proxies, version }: ControllerReport): void {
    const current = proxies.filter((proxy) => proxy.version === version).length;
    const refusing = proxies.filter(({ refused }) => refused !== undefined).length;
    this.#proxies.set({ state: "current" }, current);
    this.#proxies.set({ state: "refusing" }, refusing);
    this.#proxies.set({ state: "behind" }, proxies.length - current - refusing);
  }

  #readStatus(status: StatusReport | undefined): void {
    this.#leader.set(status?.isLeader ? 1 : 0);
    if (status === undefined) return;
    this.#queue.set(status.queueLength);
    for (const [outcome, count] of Object.entries(status.writer)) this.#writes.set({ outcome }, count);
    for (const [outcome, count] of Object.entries(status.events)) this.#events.set({ outcome }, count);
  }

  #counter(name: string, help: string, labelNames: readonly string[]): Counter {
    return new Counter({
      name: PREFIX + name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
    });
  }

  #gauge(name: string, help: string, labelNames: readonly string[]): Gauge {
    return new Gauge({ name: PREFIX + name, help, labelNames: [...labelNames], registers: [this.#registry] });
  }
}
