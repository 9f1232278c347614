/**
 * `/metrics`: prom-client holds what changes rarely; the request path's counts are read from reports at scrape
 * time. Names follow Prometheus' conventions: seconds, bytes, `_total`.
 */

import { Counter, Gauge, Histogram, type Metric, Registry } from "prom-client";
import type { ScrapeInput } from "./metric-family.ts";
import { processFamilies } from "./process-metrics.ts";
import { statsFamilies } from "./stats-metrics.ts";

export class Metrics {
  readonly #registry = new Registry();
  readonly #read: () => Promise<ScrapeInput>;
  #input: ScrapeInput | undefined;

  readonly #reloads = this.#counter("config_reloads_total", "Tables handed to the workers", ["result"]);
  readonly #restarts = this.#counter("worker_restarts_total", "Workers that died and were replaced", []);
  readonly #brokenFiles = this.#gauge("manifest_files_broken", "Manifest files that cannot be read", []);
  readonly #problems = this.#gauge("manifest_problems", "Problems found in the objects of the manifests", []);
  readonly #feed = this.#gauge("feed_connected", "1 while a controller is connected", []);
  readonly #config = this.#gauge("config_info", "Version of the table in use, as a label", ["version"]);
  readonly #configSince = this.#gauge("config_loaded_timestamp_seconds", "When it came into use", []);
  readonly #apply = new Histogram({
    name: "uwsgi_gateway_config_apply_duration_seconds",
    help: "From a finished table to its use in every worker",
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [this.#registry],
  });

  /** `read` asks the workers; once per scrape. */
  constructor(read: () => Promise<ScrapeInput>) {
    this.#read = read;
    for (const family of [...statsFamilies, ...processFamilies]) {
      const metric = {
        name: family.name,
        get: () => ({ ...family, aggregator: "sum", values: this.#input ? family.values(this.#input) : [] }),
      };
      this.#registry.registerMetric(metric as unknown as Metric);
    }
    this.#restarts.inc(0);
    for (const result of ["applied", "rejected"]) this.#reloads.inc({ result }, 0);
  }

  /** A table that every worker took up. `seconds`: since it was handed over. */
  configApplied(version: string, seconds: number, epochMs: number): void {
    this.#reloads.inc({ result: "applied" });
    this.#config.reset();
    this.#config.set({ version }, 1);
    this.#configSince.set(epochMs / 1000);
    this.#apply.observe(seconds);
  }

  /** A table that the workers refused: the one before stays. */
  configRejected(): void {
    this.#reloads.inc({ result: "rejected" });
  }

  manifests(brokenFiles: number, problems: number): void {
    this.#brokenFiles.set(brokenFiles);
    this.#problems.set(problems);
  }

  feedConnected(isConnected: boolean): void {
    this.#feed.set(isConnected ? 1 : 0);
  }

  workerRestarted(): void {
    this.#restarts.inc();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The page in Prometheus' text format. */
  async render(): Promise<string> {
    this.#input = await this.#read();
    return this.#registry.metrics();
  }

  #counter(name: string, help: string, labelNames: readonly string[]): Counter {
    return new Counter({
      name: `uwsgi_gateway_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
    });
  }

  #gauge(name: string, help: string, labelNames: readonly string[]): Gauge {
    return new Gauge({
      name: `uwsgi_gateway_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
    });
  }
}
