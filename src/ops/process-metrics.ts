/**
 * Memory, processor and descriptors, of this process and of the workers. Not prom-client's own set, which under
 * this runtime is mostly constants and keeps a timer running to measure the event loop.
 */

import { readdirSync } from "node:fs";
import type { MetricFamily, MetricSample, ProcessUsage } from "./metric-family.ts";

const startedEpochSeconds = (Date.now() - performance.now()) / 1000;

export const processFamilies: readonly MetricFamily[] = [
  {
    name: "process_cpu_seconds_total",
    help: "Processor time of the process that answers here",
    type: "counter",
    values: () => single(cpuSeconds()),
  },
  {
    name: "process_resident_memory_bytes",
    help: "Resident memory of the process that answers here",
    type: "gauge",
    values: () => single(process.memoryUsage.rss()),
  },
  {
    name: "process_start_time_seconds",
    help: "When it started, since 1970",
    type: "gauge",
    values: () => single(startedEpochSeconds),
  },
  {
    name: "process_open_fds",
    help: "Descriptors that it has open",
    type: "gauge",
    values: openDescriptors,
  },
  {
    name: "uwsgi_gateway_worker_resident_memory_bytes",
    help: "Resident memory of each worker",
    type: "gauge",
    values: ({ processes }) =>
      processes.map((one) => ({ labels: { worker: one.worker }, value: one.residentBytes })),
  },
  {
    name: "uwsgi_gateway_worker_cpu_seconds_total",
    help: "Processor time of each worker, since it started",
    type: "counter",
    values: ({ processes }) =>
      processes.map((one) => ({ labels: { worker: one.worker }, value: one.cpuSeconds })),
  },
];

/** Of the calling process. */
export function processUsage(): Omit<ProcessUsage, "worker"> {
  return { residentBytes: process.memoryUsage.rss(), cpuSeconds: cpuSeconds() };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function single(value: number): MetricSample[] {
  return [{ labels: {}, value }];
}

function openDescriptors(): MetricSample[] {
  try {
    return single(readdirSync("/proc/self/fd").length);
  } catch {
    // No /proc: no such metric.
    return [];
  }
}
