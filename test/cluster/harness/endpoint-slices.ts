/** EndpointSlices that name pods, as the controllers of a whole cluster would write them. */
import type { ApiServer } from "./api-server.ts";

export interface Endpoint {
  readonly addresses: readonly string[];
  /** The three default to what a pod that is up has: true, true, false. */
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly zone?: string;
  /** For topology hints. */
  readonly forZones?: readonly string[];
}

export interface EndpointSliceOptions {
  readonly namespace: string;
  readonly service: string;
  /** Of the slice; the service's name with `-1` by default. */
  readonly name?: string;
  readonly endpoints: readonly Endpoint[];
  /** One port without a name, or ports by their names. */
  readonly ports: number | Readonly<Record<string, number>>;
  readonly addressType?: "IPv4" | "IPv6";
}

/** An endpoint for a pod; `conditions` say what is not as usual. */
export function endpointOf(
  pod: { readonly ip: string },
  conditions: Omit<Endpoint, "addresses"> = {},
): Endpoint {
  return { addresses: [pod.ip], ...conditions };
}

/** A pod that was told to end: it still serves, but nothing new should go there. */
export function terminating(pod: { readonly ip: string }, serving = true): Endpoint {
  return endpointOf(pod, { ready: false, serving, terminating: true });
}

export function endpointSlice(options: EndpointSliceOptions) {
  const ports = typeof options.ports === "number" ? { "": options.ports } : options.ports;
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: options.name ?? `${options.service}-1`,
      namespace: options.namespace,
      labels: { "kubernetes.io/service-name": options.service },
    },
    addressType: options.addressType ?? "IPv4",
    endpoints: options.endpoints.map(endpoint),
    ports: Object.entries(ports).map(([name, port]) => ({ name, port, protocol: "TCP" })),
  };
}

function endpoint(from: Endpoint): object {
  const { addresses, hostname, nodeName, zone, forZones } = from;
  return {
    addresses,
    conditions: {
      ready: from.ready ?? true,
      serving: from.serving ?? true,
      terminating: from.terminating ?? false,
    },
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    ...(forZones === undefined ? {} : { hints: { forZones: forZones.map((name) => ({ name })) } }),
  };
}

/** Creates the slice, or makes it say this and nothing else. Resolves with the object as the server has it now. */
export async function applyEndpointSlice(
  server: Pick<ApiServer, "apply">,
  options: EndpointSliceOptions,
): Promise<{ readonly metadata: { readonly resourceVersion: string } }> {
  const object = endpointSlice(options);
  const { namespace, name } = object.metadata;
  return server.apply(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices/${name}`, object);
}
