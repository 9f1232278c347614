/** Proves that the short path gives what a translation of everything gives, or leaves the change to it. */
import { describe, expect, test } from "bun:test";
import { parseObject, type Resource } from "../resources/parse.ts";
import { changeEndpoints, type EndpointChange } from "./endpoint-change.ts";
import { indexObjects } from "./objects.ts";
import { FOLDER_OPTIONS } from "./options.ts";
import { translate } from "./translate.ts";

function parsed(raw: object): Resource {
  const result = parseObject(raw);
  if (result.type !== "object") throw new Error(JSON.stringify(result));
  return result.object;
}

const SERVICES = ["one", "two"];
const routes = SERVICES.flatMap((name) => [
  parsed({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: { ports: [{ port: 80, name: "uwsgi" }] },
  }),
  parsed({
    apiVersion: "uwsgi-gateway.io/v1alpha1",
    kind: "UwsgiRoute",
    metadata: { name },
    spec: { hostnames: [`${name}.test`], rules: [{ backendRefs: [{ name, port: 80 }] }] },
  }),
]);

/** The state of a pod, by address. */
type Pods = Readonly<Record<string, "ready" | "terminating" | "down">>;

function slice(service: string, pods: Pods): Resource {
  return parsed({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${service}-1`, labels: { "kubernetes.io/service-name": service } },
    addressType: "IPv4",
    ports: [{ name: "uwsgi", port: 8000 }],
    endpoints: Object.entries(pods).map(([address, state]) => ({
      addresses: [address],
      conditions: {
        ready: state === "ready",
        serving: state !== "down",
        terminating: state === "terminating",
      },
    })),
  });
}

function state(one: Pods, two: Pods) {
  const objects = [...routes, slice("one", one), slice("two", two)].map((object) => ({ object }));
  const whole = translate({ objects, invalid: [] }, FOLDER_OPTIONS);
  const change: EndpointChange = { services: new Set(["default/one"]), index: indexObjects(objects) };
  return { ...whole, change };
}

const before = state({ "10.0.0.1": "ready", "10.0.0.2": "ready" }, { "10.0.1.1": "ready" });

describe("changeEndpoints", () => {
  test.each<[string, Pods]>([
    ["a pod more", { "10.0.0.1": "ready", "10.0.0.2": "ready", "10.0.0.3": "ready" }],
    ["a pod less", { "10.0.0.2": "ready" }],
    ["a pod that terminates", { "10.0.0.1": "terminating", "10.0.0.2": "ready" }],
    ["only pods that terminate", { "10.0.0.1": "terminating", "10.0.0.2": "down" }],
  ])("%s: as a translation of everything", (_, one) => {
    const after = state(one, { "10.0.1.1": "ready" });
    const short = changeEndpoints(before, after.change);
    expect(short).toEqual(after.snapshot);
    expect(short).not.toEqual(before.snapshot);
    expect(after.verdicts).toEqual(before.verdicts);
  });

  test("nothing that matters is the same snapshot", () => {
    const after = state(
      { "10.0.0.1": "ready", "10.0.0.2": "ready", "10.0.0.9": "down" },
      { "10.0.1.1": "ready" },
    );
    expect(changeEndpoints(before, after.change)).toBe(before.snapshot);
  });

  test("the last endpoint gone, or the first one there, is for a translation of everything", () => {
    const none = state({}, { "10.0.1.1": "ready" });
    expect(changeEndpoints(before, none.change)).toBeUndefined();
    expect(changeEndpoints(none, before.change)).toBeUndefined();
    expect(none.verdicts).not.toEqual(before.verdicts);
  });
});
