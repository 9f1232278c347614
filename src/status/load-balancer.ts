/** Pure: where clients reach the gateway, and with that the `status.loadBalancer` of an Ingress. */
import type { KubeObject } from "../kube/api.ts";
import { canonicalIp } from "../resources/address.ts";
import { HOSTNAME_PATTERN } from "../resources/hostname.ts";
import { field, list, text } from "./observed.ts";

export type Address = { readonly ip: string } | { readonly hostname: string };

/** Far beyond any load balancer; keeps an odd Service from filling every Ingress. */
const MAX_ADDRESSES = 32;

/** `--publish-service`, `--publish-address`; neither: the status of Ingresses is left alone. */
export type Publish =
  | { readonly type: "nothing" }
  | { readonly type: "addresses"; readonly addresses: readonly Address[] }
  | { readonly type: "service"; readonly namespace: string; readonly name: string };

/** A value of `--publish-address`; `undefined` where it is neither an IP address nor a host name. */
export function parseAddress(value: string): Address | undefined {
  const ip = canonicalIp(value);
  if (ip !== undefined) return { ip };
  const isName = value.length <= 253 && HOSTNAME_PATTERN.test(value) && !value.startsWith("*.");
  return isName ? { hostname: value } : undefined;
}

export interface PublishedAddresses {
  readonly addresses: readonly Address[];
  /** Why there are none, and what to do. */
  readonly notice?: string;
}

/**
 * The load balancer's addresses, else `spec.externalIPs`. The addresses of nodes are not published for a NodePort: that takes the right
 * to read nodes, and clients need the port as well, which an Ingress cannot say.
 */
export function serviceAddresses(service: KubeObject | undefined): PublishedAddresses {
  if (service === undefined) return none("does not exist: create it, or correct --publish-service");
  const balanced = list(field(field(service.status, "loadBalancer"), "ingress")).flatMap(statusAddress);
  if (balanced.length > 0) return { addresses: distinct(balanced) };
  const spec = service.spec;
  const external = list(field(spec, "externalIPs")).flatMap((value) => {
    const ip = canonicalIp(text(value) ?? "");
    return ip === undefined ? [] : [{ ip }];
  });
  if (external.length > 0) return { addresses: distinct(external) };
  if (field(spec, "type") === "LoadBalancer") return none("waits for its load balancer's address");
  return none("has no load balancer and no externalIPs: give the address with --publish-address");
}

function none(notice: string): PublishedAddresses {
  return { addresses: [], notice };
}

/** The entries of a `status.loadBalancer.ingress`. One may have both an IP address and a name. */
function statusAddress(entry: unknown): Address[] {
  const ip = text(field(entry, "ip"));
  const hostname = text(field(entry, "hostname"));
  return [...(ip === undefined ? [] : [{ ip }]), ...(hostname === undefined ? [] : [{ hostname }])];
}

export function addressText(address: Address): string {
  return "ip" in address ? address.ip : address.hostname;
}

function distinct(addresses: readonly Address[]): readonly Address[] {
  const byText = new Map(addresses.map((address) => [addressText(address), address]));
  return [...byText.values()].slice(0, MAX_ADDRESSES);
}

export interface IngressStatus {
  /** `null` removes the list: RFC 7386. */
  readonly loadBalancer: { readonly ingress: readonly Address[] | null };
}

/** The status of an Ingress that is served; `undefined` where it has these addresses already. */
export function servedStatus(current: unknown, addresses: readonly Address[]): IngressStatus | undefined {
  if (addresses.length === 0 && entries(current).length === 0) return undefined;
  if (isSame(entries(current), addresses)) return undefined;
  return { loadBalancer: { ingress: addresses.length === 0 ? null : addresses } };
}

/**
 * The status of an Ingress that is not served, or not ours any more. Only if all that it has are addresses that we publish or did;
 * with another one in it, another controller has written it.
 */
export function clearedStatus(current: unknown, ours: ReadonlySet<string>): IngressStatus | undefined {
  const found = entries(current);
  if (found.length === 0) return undefined;
  const isOurs = found.every((entry) => {
    const addresses = statusAddress(entry);
    return addresses.length > 0 && addresses.every((address) => ours.has(addressText(address)));
  });
  return isOurs ? { loadBalancer: { ingress: null } } : undefined;
}

function entries(status: unknown): readonly unknown[] {
  return list(field(field(status, "loadBalancer"), "ingress"));
}

function isSame(found: readonly unknown[], wanted: readonly Address[]): boolean {
  if (found.length !== wanted.length) return false;
  return wanted.every((address, i) => {
    const given = statusAddress(found[i]);
    return given.length === 1 && JSON.stringify(given[0]) === JSON.stringify(address);
  });
}
