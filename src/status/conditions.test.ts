/** Proves what a UwsgiRoute's status says for each verdict and answer, what is kept of the status before, and when nothing is written. */
import { describe, expect, test } from "bun:test";
import { RESOLVED_REFS_REASONS, type Verdict } from "../translate/verdict.ts";
import { isServed, MAX_MESSAGE_CHARS, type RouteStatus, routeStatus, withdrawnStatus } from "./conditions.ts";
import type { Programming } from "./rollout.ts";

const NOW = "2030-01-01T00:00:10Z";
const BEFORE = "2030-01-01T00:00:00Z";
const IN_USE: Programming = { type: "in-use" };

const ACCEPTED = {
  type: "Accepted",
  status: "True",
  reason: "Accepted",
  message: "the object is in force",
} as const;
const RESOLVED = {
  type: "ResolvedRefs",
  status: "True",
  reason: "ResolvedRefs",
  message: "every backend was found",
} as const;

function verdict(conditions: Verdict["conditions"] = [ACCEPTED, RESOLVED], generation = 2): Verdict {
  return { ref: { kind: "UwsgiRoute", namespace: "web", name: "app" }, generation, conditions, problems: [] };
}

function invalid(message: string, ...rest: Verdict["conditions"]): Verdict {
  return verdict([{ type: "Accepted", status: "False", reason: "Invalid", message }, ...rest]);
}

function write(input: Partial<Parameters<typeof routeStatus>[0]> = {}): RouteStatus | undefined {
  return routeStatus({
    verdict: verdict(),
    programming: IN_USE,
    generation: 2,
    current: undefined,
    time: NOW,
    ...input,
  });
}

/** `type: status reason` of each. */
function told(status: RouteStatus | undefined): string[] {
  return (status?.conditions ?? []).map((each) => {
    const { type, status, reason } = (each ?? {}) as Record<string, string>;
    return `${type}: ${status} ${reason}`;
  });
}

function message(status: RouteStatus | undefined, type: string): string {
  const found = status!.conditions.find((each) => (each as { type: string }).type === type);
  return (found as { message: string }).message;
}

describe("routeStatus", () => {
  test("writes the three conditions of a route that serves", () => {
    const common = { observedGeneration: 2, lastTransitionTime: NOW };
    expect(write()).toEqual({
      observedGeneration: 2,
      conditions: [
        { ...ACCEPTED, ...common },
        { ...RESOLVED, ...common },
        {
          type: "Programmed",
          status: "True",
          reason: "Programmed",
          message: "every connected proxy has it in use",
          ...common,
        },
      ],
    });
  });

  test("writes nothing where the status says the same already, in whatever order of keys", () => {
    const current = write({ time: BEFORE })!;
    const shuffled = current.conditions.map((each) =>
      Object.fromEntries(Object.entries(each as object).reverse()),
    );
    expect(write({ current })).toBeUndefined();
    expect(write({ current: { ...current, conditions: shuffled } })).toBeUndefined();
  });

  test("keeps the time of transition while the status stays, and sets it when it changes", () => {
    const current = write({ time: BEFORE })!;
    const reworded = verdict([
      { ...ACCEPTED, reason: "PartiallyConflicted", message: "spec.hostnames[0] is taken" },
      { ...RESOLVED, status: "False", reason: "BackendNotFound", message: "names Service web/x" },
    ]);
    const times = write({ verdict: reworded, current })!.conditions.map(
      (each) => (each as { lastTransitionTime: string }).lastTransitionTime,
    );
    expect(times).toEqual([BEFORE, NOW, BEFORE]);
  });

  test("writes where only the generation is new", () => {
    const current = write({ time: BEFORE })!;
    const next = write({ verdict: verdict(undefined, 3), generation: 3, current })!;
    expect(next.observedGeneration).toBe(3);
    expect(next.conditions).toEqual(
      current.conditions.map((each) => ({ ...(each as object), observedGeneration: 3 })),
    );
  });

  test("leaves others' conditions, and their places, alone", () => {
    const foreign = { type: "example.com/Checked", status: "True", reason: "Fine", extra: { a: 1 } };
    const [accepted, ...rest] = write({ time: BEFORE })!.conditions;
    const current = { observedGeneration: 2, conditions: [foreign, accepted, "odd", ...rest, accepted] };
    const next = write({ programming: { type: "rejected", reason: "too big" }, current })!;
    expect(next.conditions[0]).toEqual(foreign);
    expect(next.conditions[2]).toBe("odd");
    expect(told({ ...next, conditions: next.conditions.toSpliced(2, 1).slice(1) })).toEqual([
      "Accepted: True Accepted",
      "ResolvedRefs: True ResolvedRefs",
      "Programmed: False Rejected",
    ]);
  });

  test("survives a status that is no status", () => {
    for (const current of [null, 1, "x", [], { conditions: 3 }, { conditions: [null, 1, {}] }]) {
      expect(told(write({ current })).slice(-3)).toEqual([
        "Accepted: True Accepted",
        "ResolvedRefs: True ResolvedRefs",
        "Programmed: True Programmed",
      ]);
    }
  });

  test("does not judge another state of the object than the status does", () => {
    const newer = { observedGeneration: 3, conditions: [] };
    expect(write({ current: newer, generation: 3 })).toBeUndefined();
    // Of an object of the same name that is gone.
    expect(write({ verdict: verdict(undefined, 9), generation: 1 })).toBeUndefined();
    // A number that the object never had is somebody's mistake.
    expect(write({ current: { ...newer, observedGeneration: 99 } })).toBeDefined();
  });

  test("takes the object's generation where the verdict has none", () => {
    const { generation: _, ...unnumbered } = verdict();
    expect(write({ verdict: unnumbered, generation: 7 })!.observedGeneration).toBe(7);
  });
});

describe("the conditions", () => {
  test("of an invalid object: nothing else was looked at", () => {
    const status = write({ verdict: invalid("spec.rules is required"), programming: IN_USE });
    expect(told(status)).toEqual([
      "Accepted: False Invalid",
      "ResolvedRefs: Unknown NotAccepted",
      "Programmed: False NotAccepted",
    ]);
    expect(message(status, "Accepted")).toBe("spec.rules is required. Correct the fields named here.");
  });

  test("of an invalid object whose last good state serves", () => {
    const status = write({ verdict: invalid("spec.rules; its last good state keeps serving", RESOLVED) });
    expect(told(status)).toEqual([
      "Accepted: False Invalid",
      "ResolvedRefs: True ResolvedRefs",
      "Programmed: False NotAccepted",
    ]);
  });

  test("say what to do about each reason", () => {
    const reasons = RESOLVED_REFS_REASONS.filter((reason) => reason !== "ResolvedRefs");
    for (const reason of reasons) {
      const status = write({
        verdict: verdict([ACCEPTED, { ...RESOLVED, status: "False", reason, message: "x" }]),
      });
      expect(message(status, "ResolvedRefs")).toMatch(/^x\. [A-Z].{10,}\.$/);
    }
    for (const reason of ["Conflicted", "PartiallyConflicted"] as const) {
      const status = write({ verdict: verdict([{ ...ACCEPTED, reason, message: "x" }, RESOLVED]) });
      expect(message(status, "Accepted")).toMatch(/^x\. [A-Z].{10,}\.$/);
    }
  });

  test("are bounded, and the advice is not what is cut off", () => {
    const long = "é😀".repeat(20_000);
    for (const text of [long, `x${long}`]) {
      const accepted = message(write({ verdict: invalid(text) }), "Accepted");
      expect(accepted.length).toBeLessThanOrEqual(MAX_MESSAGE_CHARS);
      expect(accepted.length).toBeGreaterThan(MAX_MESSAGE_CHARS - 5);
      expect(accepted).toEndWith("…. Correct the fields named here.");
      expect(accepted.isWellFormed()).toBe(true);
      const programming: Programming = { type: "rejected", reason: text };
      expect(message(write({ programming }), "Programmed").length).toBeLessThanOrEqual(MAX_MESSAGE_CHARS);
    }
  });

  test("follow the proxies", () => {
    const cases: [Programming, string][] = [
      [IN_USE, "Programmed: True Programmed"],
      [{ type: "pending" }, "Programmed: Unknown Pending"],
      [{ type: "no-proxy" }, "Programmed: Unknown NoProxy"],
      [{ type: "rejected", reason: "too many hosts" }, "Programmed: False Rejected"],
    ];
    for (const [programming, expected] of cases) expect(told(write({ programming }))[2]).toBe(expected);
    expect(message(write({ programming: cases[3]![0] }), "Programmed")).toContain("too many hosts");
  });

  test("do not unsay what is in use while a newer table is on its way", () => {
    const current = write({ time: BEFORE })!;
    const programming: Programming = { type: "pending" };
    expect(write({ current, programming })).toBeUndefined();
    const next = write({ current, programming, verdict: verdict(undefined, 3), generation: 3 });
    expect(told(next)[2]).toBe("Programmed: Unknown Pending");
    expect(told(write({ current, programming: { type: "no-proxy" } }))[2]).toBe(
      "Programmed: Unknown NoProxy",
    );
  });
});

describe("isServed", () => {
  test("knows what carries traffic", () => {
    expect(isServed(verdict())).toBe(true);
    expect(isServed(verdict([{ ...ACCEPTED, reason: "PartiallyConflicted" }, RESOLVED]))).toBe(true);
    expect(isServed(invalid("x", RESOLVED))).toBe(true);
    expect(isServed(invalid("x"))).toBe(false);
    expect(isServed(verdict([{ ...ACCEPTED, status: "False", reason: "Conflicted" }, RESOLVED]))).toBe(false);
  });
});

describe("withdrawnStatus", () => {
  const foreign = { type: "example.com/Checked", status: "True" };

  test("takes ours out, and leaves the rest", () => {
    const current = write()!;
    expect(withdrawnStatus({ ...current, conditions: [foreign, ...current.conditions] }, 2)).toEqual({
      observedGeneration: 2,
      conditions: [foreign],
    });
  });

  test("does nothing where there is nothing of ours, or another gateway has written since", () => {
    expect(withdrawnStatus(undefined, 2)).toBeUndefined();
    expect(withdrawnStatus({ conditions: [foreign] }, 2)).toBeUndefined();
    expect(withdrawnStatus(write({ verdict: verdict(undefined, 3), generation: 3 }), 2)).toBeUndefined();
  });
});
