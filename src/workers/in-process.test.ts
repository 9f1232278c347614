// Proves: with one worker the data plane in this process follows the same contract: listening begins with the first
// table that compiles, a refused one changes nothing, and draining is told.
import { describe, expect, test } from "bun:test";
import { Stats } from "../ops/stats.ts";
import { SNAPSHOT_FORMAT, type Snapshot } from "../snapshot/snapshot.ts";
import type { DataPlane } from "./data-plane.ts";
import { InProcessDataPlane } from "./in-process.ts";

function snapshot(version: string): Snapshot {
  return { format: SNAPSHOT_FORMAT, version, hosts: [], settings: [], upstreams: [] };
}

function fake(canListen = true): { calls: string[]; plane: DataPlane } {
  const calls: string[] = [];
  const plane: DataPlane = {
    apply({ version }) {
      calls.push(`apply ${version}`);
      if (version === "bad") throw new Error("cannot compile");
    },
    async listen(addresses) {
      calls.push("listen");
      if (!canListen) throw new Error("address in use");
      return addresses.map(({ hostname }) => ({ hostname, port: 4711 }));
    },
    report: () => new Stats().report(),
    async drain(timeoutMs) {
      calls.push(`drain ${timeoutMs}`);
    },
  };
  return { calls, plane };
}

const http = [{ hostname: "127.0.0.1", port: 0 }];

describe("InProcessDataPlane", () => {
  test("a life", async () => {
    const { calls, plane } = fake();
    const planes = new InProcessDataPlane(plane, http, {
      onListening: ([address]) => calls.push(`on port ${address!.port}`),
      onCannotListen: () => expect.unreachable(),
    });
    expect(planes.notReady()).toBe("no table yet");
    expect(await planes.apply(snapshot("bad"))).toEqual({ type: "rejected", reason: "cannot compile" });
    expect([planes.notReady(), planes.listening()]).toEqual(["no table yet", undefined]);
    expect(await planes.apply(snapshot("v1"))).toEqual({ type: "accepted" });
    expect([planes.notReady(), planes.listening()]).toEqual([
      undefined,
      [{ hostname: "127.0.0.1", port: 4711 }],
    ]);
    expect(await planes.apply(snapshot("bad"))).toMatchObject({ type: "rejected" });
    expect(planes.notReady()).toBeUndefined();
    await planes.apply(snapshot("v2"));
    const { processes } = await planes.report();
    expect(processes).toEqual([
      { worker: 1, residentBytes: expect.any(Number), cpuSeconds: expect.any(Number) },
    ]);
    await planes.drain(5);
    expect(planes.notReady()).toBe("draining");
    expect(calls).toEqual([
      "apply bad",
      "apply v1",
      "listen",
      "on port 4711",
      "apply bad",
      "apply v2",
      "drain 5",
    ]);
  });

  test("an address that cannot be had is told, with its reason", async () => {
    const reasons: string[] = [];
    const planes = new InProcessDataPlane(fake(false).plane, http, {
      onListening: () => expect.unreachable(),
      onCannotListen: (reason) => reasons.push(reason),
    });
    await planes.apply(snapshot("v1"));
    expect(reasons).toEqual(["address in use"]);
    expect(planes.notReady()).toBe("no table yet");
  });
});
