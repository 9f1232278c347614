/** How much memory a process holds, as Linux tells it. */
import { readFileSync, writeFileSync } from "node:fs";

/** Resident now. */
export function residentMib(pid: number): number {
  return statusKib(pid, "VmRSS") / 1024;
}

/** The most that was resident since `forgetPeak`. */
export function peakMib(pid: number): number {
  return statusKib(pid, "VmHWM") / 1024;
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

function statusKib(pid: number, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (found === null) throw new Error(`no ${name} of process ${pid}`);
  return Number(found[1]);
}
