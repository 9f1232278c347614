import { z } from "zod";
import { type Named, namespaced, type RawMetadata } from "./metadata.ts";

/** `Service` of `v1`: only what leads to its EndpointSlices. */
export interface Service extends Named {
  readonly kind: "Service";
  readonly isExternalName: boolean;
  readonly ports: readonly ServicePort[];
}

export interface ServicePort {
  /** `""` where the Service's only port has none. */
  readonly name: string;
  readonly port: number;
}

export const serviceSpecSchema = z.object({
  type: z.string().nullish(),
  ports: z
    .array(
      z.object({
        name: z.string().nullish(),
        port: z.int().min(1).max(65535),
        protocol: z.string().nullish(),
      }),
    )
    .nullish(),
});

export function parseService(metadata: RawMetadata, spec: z.infer<typeof serviceSpecSchema>): Service {
  const ports = (spec.ports ?? []).filter((each) => (each.protocol ?? "TCP") === "TCP");
  return {
    kind: "Service",
    ...namespaced(metadata),
    isExternalName: spec.type === "ExternalName",
    ports: ports.map((each) => ({ name: each.name ?? "", port: each.port })),
  };
}
