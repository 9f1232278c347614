/** Proves which table an object waits for, and that only what differs is a change. */
import { describe, expect, test } from "bun:test";
import type { Condition, Verdict } from "../translate/verdict.ts";
import { Ledger } from "./ledger.ts";
import { Rollout } from "./rollout.ts";

const RESOLVED = { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", message: "found" } as const;
const ACCEPTED = { type: "Accepted", status: "True", reason: "Accepted", message: "in force" } as const;
const CONFLICTED = { type: "Accepted", status: "False", reason: "Conflicted", message: "taken" } as const;

function verdict(generation: number | undefined, accepted: Condition = ACCEPTED, name = "app"): Verdict {
  const ref = { kind: "UwsgiRoute", namespace: "web", name } as const;
  const numbered = generation === undefined ? {} : { generation };
  return { ref, ...numbered, conditions: [accepted, RESOLVED], problems: [] };
}

/** One proxy, with `v1` in use, and an object that came with that. */
function setUp() {
  const rollout = new Rollout();
  const generations = new Map([["app", 1]]);
  const ledger = new Ledger(({ name }) => generations.get(name));
  const update = (version: string, verdicts: Verdict[], failure?: string) => {
    rollout.published(version, failure);
    return ledger.update(verdicts, rollout);
  };
  const proxyAt = (ackedVersion: string) => {
    rollout.proxies([{ name: "p", ackedVersion }]);
    return ledger.reconsider(rollout);
  };
  proxyAt("v1");
  update("v1", [verdict(1)]);
  const programming = () => [...ledger.entries()].map((entry) => entry.programming.type);
  return { update, proxyAt, programming, generations };
}

describe("Ledger", () => {
  test("an object that did not change does not wait for the next table", () => {
    const { update, programming } = setUp();
    expect(programming()).toEqual(["in-use"]);
    expect(update("v2", [verdict(1)])).toEqual({ changes: [], gone: [] });
    expect(programming()).toEqual(["in-use"]);
  });

  test("one with a new generation does", () => {
    const { update, proxyAt, programming } = setUp();
    expect(update("v2", [verdict(2)]).changes).toHaveLength(1);
    expect(programming()).toEqual(["pending"]);
    expect(proxyAt("v2")).toHaveLength(1);
    expect(programming()).toEqual(["in-use"]);
    expect(proxyAt("v2")).toEqual([]);
  });

  test("so does one that is accepted now and was not before", () => {
    const { update, proxyAt, programming } = setUp();
    update("v2", [verdict(1, CONFLICTED)]);
    proxyAt("v2");
    update("v3", [verdict(1)]);
    expect(programming()).toEqual(["pending"]);
    proxyAt("v3");
    expect(programming()).toEqual(["in-use"]);
  });

  test("takes the object's generation for a verdict without one", () => {
    const { update, programming, generations } = setUp();
    update("v2", [verdict(undefined)]);
    expect(programming()).toEqual(["in-use"]);
    generations.set("app", 2);
    update("v3", [verdict(undefined)]);
    expect(programming()).toEqual(["pending"]);
  });

  test("nobody waits for a table that was refused and then needed no more", () => {
    const { update, programming } = setUp();
    update("v1", [verdict(2), verdict(1, ACCEPTED, "culprit")], "too big");
    expect(programming()).toEqual(["rejected", "rejected"]);
    // Without the culprit it is the old table again: the first object's change makes no difference to it.
    expect(update("v1", [verdict(2)]).gone.map(({ ref }) => ref.name)).toEqual(["culprit"]);
    expect(programming()).toEqual(["in-use"]);
  });

  test("one that is made anew under its name waits, and is a change", () => {
    const { update, programming } = setUp();
    update("v1", [{ ...verdict(1), uid: "first" }]);
    const { changes, gone } = update("v2", [{ ...verdict(1), uid: "second" }]);
    expect([changes.length, gone.length, ...programming()]).toEqual([1, 0, "pending"]);
  });

  test("has no place for kinds without a status of ours", () => {
    const { update } = setUp();
    const service = { ...verdict(1), ref: { kind: "Service", namespace: "web", name: "s" } } as const;
    expect(update("v1", [verdict(1), service])).toEqual({ changes: [], gone: [] });
  });
});
