/** Proves when an object counts as in use: by the table that first had it, whatever happens to others' tables. */
import { describe, expect, test } from "bun:test";
import { Rollout } from "./rollout.ts";

const at = (name: string, ackedVersion?: string, nacked?: { version: string; reason: string }) => ({
  name,
  ...(ackedVersion === undefined ? {} : { ackedVersion }),
  ...(nacked === undefined ? {} : { nacked }),
});

function published(...versions: string[]): Rollout {
  const rollout = new Rollout();
  for (const version of versions) rollout.published(version, undefined);
  return rollout;
}

describe("Rollout", () => {
  test("waits for every connected proxy", () => {
    const rollout = published("A");
    const since = rollout.newest;
    expect(rollout.programming(since)).toEqual({ type: "no-proxy" });
    rollout.proxies([at("p"), at("q", "A")]);
    expect(rollout.programming(since)).toEqual({ type: "pending" });
    rollout.proxies([at("p", "A"), at("q", "A")]);
    expect(rollout.programming(since)).toEqual({ type: "in-use" });
    rollout.proxies([]);
    expect(rollout.programming(since)).toEqual({ type: "no-proxy" });
  });

  test("takes a later table for an earlier one, and not the other way round", () => {
    const rollout = published("A");
    const old = rollout.newest;
    rollout.published("B", undefined);
    const young = rollout.newest;
    rollout.proxies([at("p", "A")]);
    expect([rollout.programming(old).type, rollout.programming(young).type]).toEqual(["in-use", "pending"]);
    rollout.proxies([at("p", "B")]);
    expect([rollout.programming(old).type, rollout.programming(young).type]).toEqual(["in-use", "in-use"]);
  });

  test("tells a refusal to those that the refused table brought, until it is taken back", () => {
    const rollout = published("A");
    const old = rollout.newest;
    rollout.published("B", undefined);
    const young = rollout.newest;
    const nacked = { version: "B", reason: "too big" };
    rollout.proxies([at("p", "A", nacked), at("q", "B")]);
    expect(rollout.programming(old)).toEqual({ type: "in-use" });
    expect(rollout.programming(young)).toEqual({ type: "rejected", reason: "too big" });
    rollout.published("C", undefined);
    expect(rollout.programming(young)).toEqual({ type: "rejected", reason: "too big" });
    rollout.proxies([at("p", "C", nacked), at("q", "C")]);
    expect(rollout.programming(young)).toEqual({ type: "in-use" });
  });

  test("understands an answer that comes before the word that the table is out", () => {
    const rollout = published("A");
    rollout.proxies([at("p", "B")]);
    rollout.published("B", undefined);
    expect(rollout.programming(rollout.newest)).toEqual({ type: "in-use" });
  });

  test("counts a version of long ago, or of another controller, as none", () => {
    const rollout = published("A");
    rollout.proxies([at("p", "of-the-disk")]);
    expect(rollout.programming(rollout.newest)).toEqual({ type: "pending" });
    for (let i = 0; i < 1100; i++) rollout.published(`v${i}`, undefined);
    rollout.proxies([at("p", "A")]);
    expect(rollout.programming(1)).toEqual({ type: "pending" });
  });

  test("takes a table that comes again for the newest", () => {
    const rollout = published("A", "B", "A");
    rollout.proxies([at("p", "A")]);
    expect(rollout.programming(rollout.newest)).toEqual({ type: "in-use" });
    const { newest } = rollout;
    rollout.published("A", undefined);
    expect(rollout.newest).toBe(newest);
  });

  test("says why there is no table with the newest objects", () => {
    const rollout = published("A");
    rollout.proxies([at("p", "A")]);
    const old = rollout.newest;
    rollout.published("A", "cannot be published");
    const young = rollout.newest;
    expect(rollout.programming(old)).toEqual({ type: "in-use" });
    expect(rollout.programming(young)).toEqual({ type: "rejected", reason: "cannot be published" });
    rollout.published("B", undefined);
    rollout.proxies([at("p", "B")]);
    expect(rollout.programming(young)).toEqual({ type: "in-use" });
  });
});
