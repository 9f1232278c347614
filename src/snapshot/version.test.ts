/** Proves that a version follows a snapshot's content. */
import { describe, expect, test } from "bun:test";
import { SNAPSHOT_FORMAT, type Snapshot } from "./snapshot.ts";
import { snapshotVersion } from "./version.ts";

function snapshot(root: string, address = "127.0.0.1:1"): Snapshot {
  const action = { type: "static", root, stripPrefix: "", index: [], dotFiles: false } as const;
  const path = { type: "prefix", value: "" } as const;
  const content = {
    format: SNAPSHOT_FORMAT,
    hosts: [{ hostname: "", rules: [{ id: "r", path, wildcardDepth: "any", serverName: "", action }] }],
    settings: [],
    upstreams: [{ id: "u", endpoints: [{ address }] }],
  } as const;
  return { version: snapshotVersion(content), ...content };
}

describe("snapshotVersion", () => {
  test("is the same for the same content", () => {
    expect(snapshot("/srv").version).toBe(snapshot("/srv").version);
    expect(snapshot("/srv").version).toMatch(/^[0-9a-f]{16}$/);
  });

  test("differs with any part of the content", () => {
    const versions = [snapshot("/srv"), snapshot("/var"), snapshot("/srv", "127.0.0.1:2")].map(
      (s) => s.version,
    );
    expect(new Set(versions).size).toBe(3);
  });
});
