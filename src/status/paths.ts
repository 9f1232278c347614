import type { ObjectRef } from "../resources/metadata.ts";

/** The kinds whose status we write. */
export type StatusKind = "Ingress" | "UwsgiRoute";

const COLLECTIONS: Readonly<Record<StatusKind, { readonly apiVersion: string; readonly plural: string }>> = {
  Ingress: { apiVersion: "networking.k8s.io/v1", plural: "ingresses" },
  UwsgiRoute: { apiVersion: "uwsgi-gateway.io/v1alpha1", plural: "uwsgiroutes" },
};

export interface StatusRef extends ObjectRef {
  readonly kind: StatusKind;
}

/** Verdicts may be about other kinds too: an invalid Service has one, and no status of ours. */
export function hasStatus(ref: ObjectRef): ref is StatusRef {
  return ref.kind === "Ingress" || ref.kind === "UwsgiRoute";
}

export function apiVersionOf({ kind }: StatusRef): string {
  return COLLECTIONS[kind].apiVersion;
}

export function objectPath({ kind, namespace, name }: StatusRef): string {
  const { apiVersion, plural } = COLLECTIONS[kind];
  return `/apis/${apiVersion}/namespaces/${namespace}/${plural}/${name}`;
}

export function leasesPath(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
}

export function eventsPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/events`;
}
