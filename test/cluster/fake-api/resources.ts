/** The collections that the fake API server has. */

export interface ServedResource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly isNamespaced: boolean;
  /** A `/status` of its own: writes to the object leave the status alone, and the other way round. */
  readonly hasStatus: boolean;
  /** Items of its lists carry their kind, as custom resources' do; those of built-in kinds do not. */
  readonly isCustom: boolean;
  /** A PUT has to say which version it replaces. */
  readonly needsVersion: boolean;
}

const builtIn = {
  isNamespaced: true,
  hasStatus: false,
  isCustom: false,
  needsVersion: false,
} as const;

export const SERVED: readonly ServedResource[] = [
  { ...builtIn, apiVersion: "v1", kind: "Service", plural: "services", hasStatus: true },
  { ...builtIn, apiVersion: "v1", kind: "Secret", plural: "secrets" },
  { ...builtIn, apiVersion: "v1", kind: "Event", plural: "events" },
  { ...builtIn, apiVersion: "events.k8s.io/v1", kind: "Event", plural: "events" },
  { ...builtIn, apiVersion: "coordination.k8s.io/v1", kind: "Lease", plural: "leases", needsVersion: true },
  { ...builtIn, apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", plural: "endpointslices" },
  { ...builtIn, apiVersion: "networking.k8s.io/v1", kind: "Ingress", plural: "ingresses", hasStatus: true },
  {
    ...builtIn,
    apiVersion: "networking.k8s.io/v1",
    kind: "IngressClass",
    plural: "ingressclasses",
    isNamespaced: false,
  },
  {
    apiVersion: "uwsgi-gateway.io/v1alpha1",
    kind: "UwsgiRoute",
    plural: "uwsgiroutes",
    isNamespaced: true,
    hasStatus: true,
    isCustom: true,
    needsVersion: true,
  },
];

/** A path of the API, taken apart. */
export interface Target {
  readonly resource: ServedResource;
  /** `""`: all of them, or none where the kind has none. */
  readonly namespace: string;
  /** `""`: the collection. */
  readonly name: string;
  readonly isStatus: boolean;
}

const PATH = /^\/(?:api|apis\/([^/]+))\/([^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+)(\/status)?)?$/;

/** `undefined`: no such path. */
export function readTarget(path: string, served: readonly ServedResource[]): Target | undefined {
  const match = PATH.exec(path);
  if (match === null) return undefined;
  const [, group, version, namespace = "", plural, name = "", status] = match.map(
    (part) => part && decodeURIComponent(part),
  );
  const apiVersion = group === undefined ? version : `${group}/${version}`;
  const resource = served.find((each) => each.apiVersion === apiVersion && each.plural === plural);
  if (resource === undefined || (status !== undefined && !resource.hasStatus)) return undefined;
  if (name !== "" && resource.isNamespaced !== (namespace !== "")) return undefined;
  return { resource, namespace, name, isStatus: status !== undefined };
}
