import { z } from "zod";

export const KINDS = ["EndpointSlice", "Ingress", "IngressClass", "Secret", "Service", "UwsgiRoute"] as const;
export type Kind = (typeof KINDS)[number];

/** What names an object. `namespace` is `""` for kinds that have none. */
export interface ObjectRef {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}

/** What every parsed object carries. */
export interface Named {
  readonly namespace: string;
  readonly name: string;
  /** `metadata.creationTimestamp`; absent on an object that no API server has seen. */
  readonly createdAtMs?: number;
  /** `metadata.generation`: the version of its spec that this was parsed from, where an API server counts it. */
  readonly generation?: number;
  /** `metadata.uid`, which a later object of the same name does not share. */
  readonly uid?: string;
}

export const DNS_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const dnsName = z
  .string()
  .max(253)
  .regex(
    DNS_NAME,
    "must be lower-case letters, digits, '-' and '.', and begin and end with a letter or digit",
  );

/** The part of `metadata` that is read; an API server's objects have more. */
export const metadataSchema = z.object({
  name: dnsName,
  namespace: dnsName.nullish(),
  creationTimestamp: z.string().nullish(),
  generation: z.int().nullish(),
  uid: z.string().nullish(),
  labels: z.record(z.string(), z.string()).nullish(),
  annotations: z.record(z.string(), z.string("must be a string: put quotes around it")).nullish(),
});

export type RawMetadata = z.infer<typeof metadataSchema>;

/** `namespace` defaults to `default`, as `kubectl apply` does. */
export function namespaced(metadata: RawMetadata): Named {
  return { ...clusterScoped(metadata), namespace: metadata.namespace ?? "default" };
}

export function clusterScoped(metadata: RawMetadata): Named {
  const createdAtMs = Date.parse(metadata.creationTimestamp ?? "");
  return {
    namespace: "",
    name: metadata.name,
    ...(Number.isNaN(createdAtMs) ? {} : { createdAtMs }),
    ...(metadata.generation == null ? {} : { generation: metadata.generation }),
    ...(metadata.uid == null ? {} : { uid: metadata.uid }),
  };
}

/** `UwsgiRoute web/myapp`, for messages. */
export function refText(ref: ObjectRef): string {
  return ref.namespace === "" ? `${ref.kind} ${ref.name}` : `${ref.kind} ${ref.namespace}/${ref.name}`;
}

/** The key of an object in maps: one per kind, namespace and name. */
export function refKey(ref: ObjectRef): string {
  return `${ref.kind}/${ref.namespace}/${ref.name}`;
}
