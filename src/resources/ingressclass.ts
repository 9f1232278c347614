import { z } from "zod";
import { clusterScoped, type Named, type RawMetadata } from "./metadata.ts";

/** `IngressClass` of `networking.k8s.io/v1`. */
export interface IngressClass extends Named {
  readonly kind: "IngressClass";
  readonly controller: string;
  readonly isDefault: boolean;
}

export const ingressClassSpecSchema = z.object({ controller: z.string() });

export function parseIngressClass(
  metadata: RawMetadata,
  spec: z.infer<typeof ingressClassSpecSchema>,
): IngressClass {
  const isDefault = metadata.annotations?.["ingressclass.kubernetes.io/is-default-class"] === "true";
  return { kind: "IngressClass", ...clusterScoped(metadata), controller: spec.controller, isDefault };
}
