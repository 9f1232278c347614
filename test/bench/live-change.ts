/** How long a change to the folder takes to be served. */
import { renameSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import type { ManyRoutes } from "./contenders.ts";
import { median } from "./statistics.ts";

const GIVE_UP_MS = 10_000;

export interface LiveChange {
  readonly routes: number;
  readonly repeats: number;
  readonly medianMs: number;
  readonly maxMs: number;
}

/**
 * Moves the last route to another path, by renaming a new file over the old one, and asks for that path without a pause until it
 * answers; the time is counted from just before the rename.
 */
export async function measureLiveChange(routes: ManyRoutes, repeats: number): Promise<LiveChange> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times: number[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    const path = `/moved-${repeat}`;
    const next = `${routes.lastFile}.next`;
    writeFileSync(next, routes.lastFileText(path));
    const start = performance.now();
    renameSync(next, routes.lastFile);
    while ((await statusOf(routes, path, agent)) !== 200) {
      if (performance.now() - start > GIVE_UP_MS)
        throw new Error(`the change is not live after ${GIVE_UP_MS} ms`);
    }
    times.push(performance.now() - start);
  }
  agent.destroy();
  return { routes: routes.count, repeats, medianMs: median(times), maxMs: Math.max(...times) };
}

function statusOf(routes: ManyRoutes, path: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { Host: routes.host };
    const asked = request({ host: "127.0.0.1", port: routes.port, path, agent, headers }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    asked.on("error", reject);
    asked.end();
  });
}
