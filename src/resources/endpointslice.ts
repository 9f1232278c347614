import { z } from "zod";
import { canonicalIp } from "./address.ts";
import { type Named, namespaced, type RawMetadata } from "./metadata.ts";
import type { Problem } from "./problem.ts";

/** `EndpointSlice` of `discovery.k8s.io/v1`. */
export interface EndpointSlice extends Named {
  readonly kind: "EndpointSlice";
  /** The Service that it belongs to, by label; `""` for none. */
  readonly serviceName: string;
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly SliceEndpoint[];
}

export interface SliceEndpoint {
  /** Canonical IP addresses. */
  readonly addresses: readonly string[];
  /** `draining`: terminating and still serving, used only where nothing is ready. */
  readonly state: "ready" | "draining" | "down";
  /** The zones whose traffic it is meant for, by `hints.forZones`; empty where nothing is said. */
  readonly zones: readonly string[];
}

/** Top-level fields: an EndpointSlice has no spec. */
export const endpointSliceSchema = z.object({
  addressType: z.enum(["IPv4", "IPv6", "FQDN"]),
  ports: z
    .array(
      z.object({
        name: z.string().nullish(),
        port: z.int().min(1).max(65535).nullish(),
        protocol: z.string().nullish(),
      }),
    )
    .nullish(),
  endpoints: z
    .array(
      z.object({
        addresses: z.array(z.string()),
        conditions: z
          .object({
            ready: z.boolean().nullish(),
            serving: z.boolean().nullish(),
            terminating: z.boolean().nullish(),
          })
          .nullish(),
        hints: z.object({ forZones: z.array(z.object({ name: z.string() })).nullish() }).nullish(),
      }),
    )
    .nullish(),
});

type RawSlice = z.infer<typeof endpointSliceSchema>;
type RawEndpoint = NonNullable<RawSlice["endpoints"]>[number];

export function parseEndpointSlice(metadata: RawMetadata, raw: RawSlice, problems: Problem[]): EndpointSlice {
  if (raw.addressType === "FQDN") {
    problems.push({ field: "addressType", message: "must be IPv4 or IPv6: names are not looked up" });
  }
  const ports: { name: string; port: number }[] = [];
  for (const { name, port, protocol } of raw.ports ?? []) {
    if (port && (protocol ?? "TCP") === "TCP") ports.push({ name: name ?? "", port });
  }
  return {
    kind: "EndpointSlice",
    ...namespaced(metadata),
    serviceName: metadata.labels?.["kubernetes.io/service-name"] ?? "",
    ports,
    endpoints: (raw.endpoints ?? []).map((each, i) => parseEndpoint(each, `endpoints[${i}]`, problems)),
  };
}

function parseEndpoint(raw: RawEndpoint, field: string, problems: Problem[]): SliceEndpoint {
  const addresses = raw.addresses.map((text, i) => {
    const ip = canonicalIp(text);
    if (ip === undefined) {
      problems.push({ field: `${field}.addresses[${i}]`, message: `must be an IP address, not "${text}"` });
    }
    return ip ?? "";
  });
  const zones = (raw.hints?.forZones ?? []).map(({ name }) => name);
  return { addresses, state: endpointState(raw.conditions ?? {}), zones };
}

/** Absent conditions read as the API's documentation says: ready unless it says false, serving as ready. */
function endpointState(conditions: NonNullable<RawEndpoint["conditions"]>): SliceEndpoint["state"] {
  if (conditions.ready ?? true) return "ready";
  return conditions.terminating && (conditions.serving ?? false) ? "draining" : "down";
}
