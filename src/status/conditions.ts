/** Pure: what became of an object -> the status to write. The words of the conditions are for the object's owner. */
import type { AcceptedReason, ResolvedRefsReason, Verdict } from "../translate/verdict.ts";
import { field, list, shortened, text } from "./observed.ts";
import type { Programming } from "./rollout.ts";

/** The API allows 32 KiB; nobody reads that in `kubectl describe`. */
export const MAX_MESSAGE_CHARS = 2048;

export const CONDITION_TYPES = ["Accepted", "ResolvedRefs", "Programmed"] as const;
export type ConditionType = (typeof CONDITION_TYPES)[number];

/** What a condition says, without when. */
export interface Finding {
  readonly type: ConditionType;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

/** `metav1.Condition`. */
export interface StatusCondition extends Finding {
  readonly observedGeneration: number;
  /** RFC 3339. Kept while `status` stays. */
  readonly lastTransitionTime: string;
}

export interface RouteStatus {
  readonly observedGeneration: number;
  /** Ours, and in their places those that others put there. */
  readonly conditions: readonly unknown[];
}

export interface StatusInput {
  readonly verdict: Verdict;
  readonly programming: Programming;
  /** Of the object as it is now. */
  readonly generation: number;
  readonly current: unknown;
  /** RFC 3339, whole seconds. */
  readonly time: string;
}

/** What to do, beside what is wrong, which the verdict's own message says. */
const ADVICE: Readonly<Record<AcceptedReason | ResolvedRefsReason, string | undefined>> = {
  Accepted: undefined,
  ResolvedRefs: undefined,
  Invalid: "Correct the fields named here",
  Conflicted: "Change the host or the path here, or remove the object that has it",
  PartiallyConflicted:
    "The rest is served. Change the host or the path here, or remove the object that has it",
  BackendNotFound: "Create the Service, or correct its name",
  PortNotFound: "Name one of the ports that the Service has",
  UnsupportedBackend: "Name a Service and one of its ports",
  SecretNotFound: "Create it as a Secret of that type, with tls.crt and tls.key",
  InvalidCertificate: "Put a valid certificate and its key into the Secret",
  RefNotPermitted: "Copy what is named into the namespace of this object, and name it there",
  HostnameNotCovered: "Name a Secret whose certificate is for that host, or take the host out",
  NoEndpoints: "Look at the readiness of the pods behind the Service, and at its selector",
};

/**
 * The status of a UwsgiRoute; `undefined` where the current one says the same, or where the verdict is about another state of the
 * object than the current status: an older one, or that of an object of the same name before it.
 */
export function routeStatus({
  verdict,
  programming,
  generation,
  current,
  time,
}: StatusInput): RouteStatus | undefined {
  const judged = verdict.generation ?? generation;
  const observed = field(current, "observedGeneration");
  if (judged > generation) return undefined;
  if (typeof observed === "number" && observed > judged && observed <= generation) return undefined;
  const before = list(field(current, "conditions"));
  const findings = findingsOf(verdict, programming).map((finding) =>
    keptWhilePending(finding, before, judged),
  );
  const conditions = placed(
    before,
    findings.map((finding) => dated(finding, before, judged, time)),
  );
  if (observed === judged && JSON.stringify(conditions) === JSON.stringify(before)) return undefined;
  return { observedGeneration: judged, conditions };
}

/** The status of a UwsgiRoute that is not ours any more; `undefined` where it has nothing of ours or others have written since. */
export function withdrawnStatus(current: unknown, generation: number): RouteStatus | undefined {
  const before = list(field(current, "conditions"));
  const ours = before.filter(isOurs);
  if (ours.length === 0) return undefined;
  if (ours.some((each) => field(each, "observedGeneration") !== generation)) return undefined;
  return { observedGeneration: generation, conditions: before.filter((each) => !isOurs(each)) };
}

/** The three conditions, in their order. */
export function findingsOf(verdict: Verdict, programming: Programming): readonly Finding[] {
  const accepted = findingOf(verdict, "Accepted");
  const isAccepted = accepted.status === "True";
  return [accepted, findingOf(verdict, "ResolvedRefs"), isAccepted ? programmed(programming) : NOT_IN_USE];
}

/** Whether it serves traffic: as it is, or in its last good state. */
export function isServed({ conditions }: Verdict): boolean {
  const accepted = conditions.find((each) => each.type === "Accepted");
  if (accepted?.status === "True") return true;
  // Only an invalid object with an earlier state in force has references that were looked at.
  return accepted?.reason === "Invalid" && conditions.some((each) => each.type === "ResolvedRefs");
}

function findingOf(verdict: Verdict, type: "Accepted" | "ResolvedRefs"): Finding {
  const found = verdict.conditions.find((each) => each.type === type);
  if (found === undefined) {
    const message = "The references were not looked at. Mend what the condition Accepted says first";
    return { type, status: "Unknown", reason: "NotAccepted", message };
  }
  const advice = ADVICE[found.reason];
  // The advice stays, however long the rest is.
  const room = MAX_MESSAGE_CHARS - (advice === undefined ? 0 : advice.length + 3);
  const words = shortened(found.message, room);
  const message = advice === undefined ? words : `${words}. ${advice}.`;
  return { type, status: found.status, reason: found.reason, message };
}

const NOT_IN_USE: Finding = {
  type: "Programmed",
  status: "False",
  reason: "NotAccepted",
  message: "This state of the object is not in use. Mend what the condition Accepted says",
};

function programmed(programming: Programming): Finding {
  const type = "Programmed";
  switch (programming.type) {
    case "in-use":
      return { type, status: "True", reason: "Programmed", message: "every connected proxy has it in use" };
    case "rejected": {
      const what = `A proxy refused the table and keeps its last good one: ${programming.reason}`;
      return { type, status: "False", reason: "Rejected", message: shortened(what, MAX_MESSAGE_CHARS) };
    }
    case "pending": {
      const message =
        "The proxies have not answered yet. If that lasts, look at the logs of the proxy containers";
      return { type, status: "Unknown", reason: "Pending", message };
    }
    case "no-proxy": {
      const message =
        "No proxy is connected to the controller. Look at the state and the log of the proxy container";
      return { type, status: "Unknown", reason: "NoProxy", message };
    }
  }
}

/**
 * A new table, or a controller that has just started, does not unsay what is in use: else every change of one object would write
 * to all of them, twice.
 */
function keptWhilePending(finding: Finding, before: readonly unknown[], generation: number): Finding {
  if (finding.type !== "Programmed" || finding.reason !== "Pending") return finding;
  const old = before.find((each) => field(each, "type") === "Programmed");
  const holds = field(old, "status") === "True" && field(old, "observedGeneration") === generation;
  return holds ? programmed({ type: "in-use" }) : finding;
}

function dated(
  { type, status, reason, message }: Finding,
  before: readonly unknown[],
  observedGeneration: number,
  time: string,
): StatusCondition {
  const old = before.find((each) => field(each, "type") === type);
  const since = field(old, "status") === status ? text(field(old, "lastTransitionTime")) : undefined;
  return { type, status, reason, message, observedGeneration, lastTransitionTime: since ?? time };
}

/** Ours where they were, new ones at the end. One that was there twice stays once. */
function placed(before: readonly unknown[], ours: readonly StatusCondition[]): readonly unknown[] {
  const left = new Map<unknown, StatusCondition>(ours.map((each) => [each.type, each]));
  const all = before.flatMap((each) => {
    if (!isOurs(each)) return [each];
    const type = field(each, "type");
    const mine = left.get(type);
    left.delete(type);
    return mine === undefined ? [] : [sameOrder(mine, each)];
  });
  return [...all, ...left.values()];
}

/** With the keys in the order of `old`, and without it where nothing differs, so that texts can be compared. */
function sameOrder(mine: StatusCondition, old: unknown): unknown {
  const keys = Object.keys(mine) as (keyof StatusCondition)[];
  return keys.every((key) => field(old, key) === mine[key]) ? old : mine;
}

function isOurs(condition: unknown): boolean {
  return CONDITION_TYPES.includes(field(condition, "type") as ConditionType);
}
