import type { Query } from "../../kube/api.ts";
import { DOMAIN } from "../../resources/annotations.ts";
import type { Kind } from "../../resources/metadata.ts";
import { TLS_SECRET_TYPE } from "../../resources/secret.ts";

/** Where the objects of a kind are. */
export interface KindPath {
  readonly kind: Kind;
  /** The items of a list come without it, and without their kind. */
  readonly apiVersion: string;
  readonly plural: string;
  readonly isNamespaced: boolean;
  readonly query: Query;
}

/** Watched as a whole; Secrets are watched by name. */
export const WATCHED_KINDS: readonly KindPath[] = [
  cluster("IngressClass", "networking.k8s.io/v1", "ingressclasses"),
  namespaced("Ingress", "networking.k8s.io/v1", "ingresses"),
  namespaced("UwsgiRoute", `${DOMAIN}/v1alpha1`, "uwsgiroutes"),
  namespaced("Service", "v1", "services"),
  // Slices that belong to no Service lead nowhere.
  namespaced("EndpointSlice", "discovery.k8s.io/v1", "endpointslices", {
    labelSelector: "kubernetes.io/service-name",
  }),
];

/** One TLS Secret. RBAC cannot tell such a list from one of all Secrets, unless it names the Secret (`resourceNames`). */
export function secretPath(name: string): KindPath {
  const fieldSelector = `metadata.name=${name},type=${TLS_SECRET_TYPE}`;
  return namespaced("Secret", "v1", "secrets", { fieldSelector });
}

function cluster(kind: Kind, apiVersion: string, plural: string): KindPath {
  return { kind, apiVersion, plural, isNamespaced: false, query: {} };
}

function namespaced(kind: Kind, apiVersion: string, plural: string, query: Query = {}): KindPath {
  return { kind, apiVersion, plural, isNamespaced: true, query };
}

/** The collection's path. `namespace` `""` stands for all of them. */
export function collectionPath({ apiVersion, plural, isNamespaced }: KindPath, namespace: string): string {
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return isNamespaced && namespace !== ""
    ? `${group}/namespaces/${encodeURIComponent(namespace)}/${plural}`
    : `${group}/${plural}`;
}
