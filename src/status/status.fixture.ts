/** A cluster with a route and an Ingress, in memory and in simulated time, and controllers that write statuses there. */
import type { Condition, Verdict } from "../translate/verdict.ts";
import { MemoryApi } from "./memory-api.fixture.ts";
import { field, list, observe } from "./observed.ts";
import { objectPath, type StatusKind, type StatusRef } from "./paths.ts";
import { SimulatedTime, seededRandom } from "./simulated-time.fixture.ts";
import { type Publish, type Status, startStatus } from "./status.ts";

export const route = ref("UwsgiRoute", "app");
export const ingress = ref("Ingress", "site");
export const ADDRESS = { ip: "192.0.2.1" };
const FIXED: Publish = { type: "addresses", addresses: [ADDRESS] };
export const SERVICE: Publish = { type: "service", namespace: "gw", name: "gw" };
export const OK: readonly Condition[] = [
  { type: "Accepted", status: "True", reason: "Accepted", message: "the object is in force" },
  { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", message: "every backend was found" },
];
export const MISSING: readonly Condition[] = [
  OK[0]!,
  { type: "ResolvedRefs", status: "False", reason: "BackendNotFound", message: "no Service web/x" },
];
export const INVALID: readonly Condition[] = [
  { type: "Accepted", status: "False", reason: "Invalid", message: "spec.rules is required" },
];

export function ref(kind: StatusKind, name: string): StatusRef {
  return { kind, namespace: "web", name };
}

export function verdict(of: StatusRef, conditions = OK, generation = 1): Verdict {
  return { ref: of, generation, conditions, problems: [] };
}

interface Controller extends Status {
  readonly log: string[];
}

export function setUp() {
  const time = new SimulatedTime();
  const api = new MemoryApi();
  const add = (of: StatusRef, more: { generation?: number; status?: unknown } = {}) => {
    const { generation = 1, ...rest } = more;
    const metadata = { name: of.name, namespace: "web", uid: `uid-${of.name}`, generation };
    api.put(objectPath(of), { metadata, spec: {}, ...rest });
  };
  add(route);
  add(ingress);
  const start = (identity = "a", publish: Publish = FIXED): Controller => {
    const log: string[] = [];
    const status = startStatus({
      api,
      identity,
      leaseNamespace: "gw",
      leaseName: "gw",
      publish,
      routeState: (of) => {
        const object = api.peek(objectPath(of));
        return object && observe(object);
      },
      timers: time,
      random: seededRandom(1),
      epochMs: () => Date.UTC(2030, 0, 1) + time.monotonicMs(),
      log: {
        info: (_: unknown, message: string) => log.push(message),
        warn: (_: unknown, message: string) => log.push(message),
      } as never,
    });
    return { ...status, log };
  };
  const statusOf = (of: StatusRef) => api.peek(objectPath(of))!.status;
  /** `Accepted=True/Accepted` and so on. */
  const conditions = (of = route) =>
    list(field(statusOf(of), "conditions")).map(
      (each) => `${field(each, "type")}=${field(each, "status")}/${field(each, "reason")}`,
    );
  const balancer = (of = ingress) => field(field(statusOf(of), "loadBalancer"), "ingress");
  const events = () =>
    api.paths("/api/v1/namespaces/web/events/").map((path) => {
      const { type, reason, involvedObject } = api.peek(path)!;
      return `${field(involvedObject, "name")} ${type} ${reason}`;
    });
  const writes = () =>
    api.calls.filter(({ path, verb }) => verb === "patch" && !path.includes("/events/")).length;
  return { time, api, add, start, statusOf, conditions, balancer, events, writes };
}

export const SERVING = [
  "Accepted=True/Accepted",
  "ResolvedRefs=True/ResolvedRefs",
  "Programmed=True/Programmed",
];
export const proxyAt = (ackedVersion: string) => [{ name: "p", ackedVersion }];
