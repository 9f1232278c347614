import { endpointAddress } from "../resources/address.ts";
import type { EndpointSlice, SliceEndpoint } from "../resources/endpointslice.ts";
import type { Service, ServicePort } from "../resources/service.ts";
import type { Upstream } from "../snapshot/snapshot.ts";
import type { ObjectIndex } from "./objects.ts";
import type { ResolvedRefsReason } from "./verdict.ts";

/** A port of a Service, by its number or its name. */
export interface ServicePortRef {
  readonly namespace: string;
  readonly name: string;
  readonly port: number | string;
}

export type Resolution =
  /** `notice` is set where nothing is ready. */
  | { readonly type: "upstream"; readonly upstream: Upstream; readonly notice?: string }
  | { readonly type: "unresolved"; readonly reason: ResolvedRefsReason; readonly message: string };

/** A port that was asked for and is there, with what verdicts say of it. */
export interface FoundPort {
  readonly ref: ServicePortRef;
  readonly notice: string | undefined;
}

type EndpointIndex = Pick<ObjectIndex, "services" | "slices">;

/** Follows a reference to the endpoints behind it. Answers are kept: thousands of rules share a Service. */
export class EndpointResolver {
  readonly #index: EndpointIndex;
  readonly #zone: string | undefined;
  readonly #known = new Map<string, Resolution>();
  readonly #found: FoundPort[] = [];

  /** `zone` as in `TranslateOptions`. */
  constructor(index: EndpointIndex, zone: string | undefined) {
    this.#index = index;
    this.#zone = zone;
  }

  /** What was found so far, also behind rules that are not served. */
  found(): FoundPort[] {
    return [...this.#found];
  }

  resolve(ref: ServicePortRef): Resolution {
    const key = `${ref.namespace}/${ref.name}:${ref.port}`;
    let resolution = this.#known.get(key);
    if (resolution === undefined) {
      resolution = resolve(ref, this.#index, this.#zone);
      this.#known.set(key, resolution);
      if (resolution.type === "upstream") this.#found.push({ ref, notice: resolution.notice });
    }
    return resolution;
  }
}

function resolve(
  { namespace, name, port }: ServicePortRef,
  index: EndpointIndex,
  zone: string | undefined,
): Resolution {
  const key = `${namespace}/${name}`;
  const service = index.services.get(key);
  if (service === undefined)
    return unresolved("BackendNotFound", `names Service ${key}, which does not exist`);
  if (service.isExternalName) {
    const message = `names Service ${key} of type ExternalName, which has no endpoints: use another type`;
    return unresolved("UnsupportedBackend", message);
  }
  const servicePort = service.ports.find(
    (each) => (typeof port === "number" ? each.port : each.name) === port,
  );
  if (servicePort === undefined) {
    return unresolved(
      "PortNotFound",
      `names port ${port} of Service ${key}, which has ${portsText(service)}`,
    );
  }
  return upstreamOf(service, servicePort, index.slices.get(key) ?? NO_SLICES, zone);
}

interface KnownUpstream {
  readonly slices: readonly EndpointSlice[];
  readonly zone: string | undefined;
  readonly resolution: Resolution;
}

const NO_SLICES: readonly EndpointSlice[] = [];

/** Kept from one run to the next, by port of a Service: most Services and slices are the same values again. */
const known = new WeakMap<ServicePort, KnownUpstream>();

function upstreamOf(
  service: Service,
  port: ServicePort,
  slices: readonly EndpointSlice[],
  zone: string | undefined,
): Resolution {
  const before = known.get(port);
  if (before?.zone === zone && before !== undefined && sameList(before.slices, slices)) {
    return before.resolution;
  }
  const resolution = readUpstream(service, port, slices, zone);
  known.set(port, { slices, zone, resolution });
  return resolution;
}

function sameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}

function readUpstream(
  service: Service,
  port: ServicePort,
  slices: readonly EndpointSlice[],
  zone: string | undefined,
): Resolution {
  const key = `${service.namespace}/${service.name}`;
  const endpoints = usedAddresses(slices, port.name, zone).map((address) => ({ address }));
  const upstream = { id: `${key}:${port.port}`, endpoints };
  if (endpoints.length > 0) return { type: "upstream", upstream };
  return { type: "upstream", upstream, notice: `Service ${key} has ${absence(slices, port.name)}` };
}

function unresolved(reason: ResolvedRefsReason, message: string): Resolution {
  return { type: "unresolved", reason, message };
}

function portsText(service: Service): string {
  if (service.ports.length === 0) return "no TCP ports";
  return service.ports.map(({ name, port }) => (name === "" ? `${port}` : `${port} (${name})`)).join(", ");
}

function absence(slices: readonly EndpointSlice[], portName: string): string {
  if (slices.length === 0) return "no EndpointSlice";
  if (slices.some((slice) => portNumber(slice, portName) !== undefined)) return "no ready endpoint";
  return `EndpointSlices, but none of them has a port named "${portName}"`;
}

/**
 * Kubernetes ties a Service's port to a slice's by name. Endpoints that are terminating and still serve are used
 * only where none is ready. One address may be in several slices. Sorted, so that the order of slices is no change.
 */
function usedAddresses(
  slices: readonly EndpointSlice[],
  portName: string,
  zone: string | undefined,
): string[] {
  const all = endpointsOf(slices, portName);
  const ready = all.filter(({ endpoint }) => endpoint.state === "ready");
  const used =
    ready.length > 0 ? nearby(ready, zone) : all.filter(({ endpoint }) => endpoint.state === "draining");
  const found = new Set<string>();
  for (const { endpoint, port } of used) {
    for (const ip of endpoint.addresses) found.add(endpointAddress(ip, port));
  }
  return [...found].sort();
}

interface PortEndpoint {
  readonly endpoint: SliceEndpoint;
  readonly port: number;
}

function endpointsOf(slices: readonly EndpointSlice[], portName: string): PortEndpoint[] {
  return slices.flatMap((slice) => {
    const port = portNumber(slice, portName);
    return port === undefined ? [] : slice.endpoints.map((endpoint) => ({ endpoint, port }));
  });
}

/**
 * Hints count as they do in kube-proxy: where every ready endpoint has some, and one of them at least is meant for our zone. A hint that
 * is missing says that they are being worked out anew.
 */
function nearby(ready: readonly PortEndpoint[], zone: string | undefined): readonly PortEndpoint[] {
  if (zone === undefined || ready.some(({ endpoint }) => endpoint.zones.length === 0)) return ready;
  const ours = ready.filter(({ endpoint }) => endpoint.zones.includes(zone));
  return ours.length > 0 ? ours : ready;
}

function portNumber(slice: EndpointSlice, portName: string): number | undefined {
  return slice.ports.find((each) => each.name === portName)?.port;
}
