/** How a scrape reads what the workers counted: families in prom-client's JSON form, filled from reports. */

import type { StatsReport } from "./stats-report.ts";

/** One data-plane process. */
export interface ProcessUsage {
  readonly worker: number;
  readonly residentBytes: number;
  readonly cpuSeconds: number;
}

export interface ScrapeInput {
  /** Summed over the workers. */
  readonly stats: StatsReport;
  readonly processes: readonly ProcessUsage[];
}

/** A metric in prom-client's JSON form, minus the values, which a scrape's input gives. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  values(input: ScrapeInput): readonly MetricSample[];
}

export interface MetricSample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  /** Where it differs from the family's, as in a histogram. */
  readonly metricName?: string;
}
