/**
 * Seeded faults against the whole data plane: partial reads and writes, resets, slow peers, lost endpoints, swapped tables, draining, on
 * simulated time. Proves the invariants of `invariants.ts` for each seed.
 *
 * `SIMULATION_SEED=n` plays one seed again; `SIMULATION_SEEDS=n` plays so many, from `SIMULATION_FIRST` on (default: a random one).
 */
import { afterAll, expect, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { violations } from "./invariants.ts";
import { createSite, simulate } from "./simulation.ts";

const only = process.env["SIMULATION_SEED"];
const count = only === undefined ? Number(process.env["SIMULATION_SEEDS"] ?? 400) : 1;
const first = Number(
  only ?? process.env["SIMULATION_FIRST"] ?? crypto.getRandomValues(new Uint32Array(1))[0],
);
const site = createSite();
afterAll(() => site.remove());

const maxMs = 60_000 + count * 100;

test(
  `${count} seeds from ${first} on`,
  async () => {
    const failures: string[] = [];
    for (let seed = first; seed < first + count && failures.length < 5; seed++) {
      for (const violation of await broken(seed)) failures.push(`SIMULATION_SEED=${seed}: ${violation}`);
    }
    expect(failures).toEqual([]);
    expect(openFiles()).toEqual([]);
  },
  maxMs,
);

async function broken(seed: number): Promise<string[]> {
  try {
    return violations(await simulate(seed, site));
  } catch (error) {
    return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  }
}

/** Files of the site that are open, and temporary ones, which have no name. */
function openFiles(): string[] {
  const paths = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // The descriptor with which the folder was read.
      return "";
    }
  });
  return paths.filter((path) => path.startsWith(site.root) || path.includes(".uwsgi-gateway-"));
}
