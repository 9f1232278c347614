import { z } from "zod";
import { parseAnnotations } from "./annotations.ts";
import type { Forwarding } from "./forwarding.ts";
import { HOSTNAME_MESSAGE, HOSTNAME_PATTERN, hostnameFault } from "./hostname.ts";
import { type Named, namespaced, type RawMetadata } from "./metadata.ts";
import { type PathMatch, parsePath } from "./path.ts";
import type { Problem } from "./problem.ts";

/** `Ingress` of `networking.k8s.io/v1`. */
export interface Ingress extends Named {
  readonly kind: "Ingress";
  readonly className?: string;
  readonly defaultBackend?: IngressBackend;
  readonly rules: readonly IngressRule[];
  readonly tls: readonly { readonly hosts: readonly string[]; readonly secretName: string }[];
  readonly forwarding: Forwarding;
}

export const CLASS_ANNOTATION = "kubernetes.io/ingress.class";

export interface IngressRule {
  /** `""`: any host. A wildcard stands for exactly one label. */
  readonly host: string;
  /** Empty: the host's traffic goes to the default backend. */
  readonly paths: readonly { readonly path: PathMatch; readonly backend: IngressBackend }[];
}

export type IngressBackend =
  | { readonly type: "service"; readonly name: string; readonly port: number | string }
  /** A `resource` backend, which only its own controller can serve. */
  | { readonly type: "resource"; readonly text: string };

const backend = z.object({
  service: z
    .object({
      name: z.string().min(1),
      port: z.object({ number: z.int().min(1).max(65535).nullish(), name: z.string().min(1).nullish() }),
    })
    .nullish(),
  resource: z.object({ kind: z.string(), name: z.string() }).nullish(),
});

const path = z.object({
  path: z.string().nullish(),
  pathType: z.enum(["Exact", "Prefix", "ImplementationSpecific"]),
  backend,
});

export const ingressSpecSchema = z.object({
  ingressClassName: z.string().nullish(),
  defaultBackend: backend.nullish(),
  rules: z
    .array(
      z.object({
        host: z.string().max(253).regex(HOSTNAME_PATTERN, HOSTNAME_MESSAGE).or(z.literal("")).nullish(),
        http: z.object({ paths: z.array(path).min(1) }).nullish(),
      }),
    )
    .nullish(),
  tls: z
    .array(z.object({ hosts: z.array(z.string()).nullish(), secretName: z.string().nullish() }))
    .nullish(),
});

type RawSpec = z.infer<typeof ingressSpecSchema>;
type RawRule = NonNullable<RawSpec["rules"]>[number];

export function parseIngress(metadata: RawMetadata, spec: RawSpec, problems: Problem[]): Ingress {
  if (!spec.defaultBackend && !spec.rules?.length) {
    problems.push({ field: "spec", message: "must have rules or a defaultBackend" });
  }
  const className = ingressClassName(metadata.annotations, spec.ingressClassName);
  const rules = (spec.rules ?? []).map((each, i) => parseRule(each, `spec.rules[${i}]`, problems));
  return {
    kind: "Ingress",
    ...namespaced(metadata),
    ...(className === undefined ? {} : { className }),
    ...(spec.defaultBackend
      ? { defaultBackend: parseBackend(spec.defaultBackend, "spec.defaultBackend", problems) }
      : {}),
    rules,
    tls: (spec.tls ?? []).map((each) => ({ hosts: each.hosts ?? [], secretName: each.secretName ?? "" })),
    forwarding: parseAnnotations(metadata.annotations, problems),
  };
}

/**
 * The annotation is older than the field and, as the API's documentation asks, counts before it. What it names was never defined; here it
 * is a class, as in the field. An Ingress that carries it for another controller is no Ingress without a class.
 */
export function ingressClassName(annotations: unknown, field: unknown): string | undefined {
  const annotation = (annotations as Record<string, unknown> | null | undefined)?.[CLASS_ANNOTATION];
  return [annotation, field].find((each): each is string => typeof each === "string" && each !== "");
}

function parseRule(raw: RawRule, field: string, problems: Problem[]): IngressRule {
  const host = raw.host ?? "";
  const fault = hostnameFault(host);
  if (fault !== undefined) problems.push({ field: `${field}.host`, message: fault });
  const paths = (raw.http?.paths ?? []).map((each, i) => {
    const at = `${field}.http.paths[${i}]`;
    return {
      path: parseIngressPath(each, `${at}.path`, problems),
      backend: parseBackend(each.backend, `${at}.backend`, problems),
    };
  });
  return { host, paths };
}

/** ImplementationSpecific is matched as Prefix; there an empty path stands for every path. */
function parseIngressPath(raw: z.infer<typeof path>, field: string, problems: Problem[]): PathMatch {
  const type = raw.pathType === "Exact" ? "exact" : "prefix";
  const text = raw.path || (raw.pathType === "ImplementationSpecific" ? "/" : "");
  const parsed = parsePath(type, text);
  if ("path" in parsed) return parsed.path;
  problems.push({ field, message: parsed.message });
  return { type, value: "" };
}

function parseBackend(raw: z.infer<typeof backend>, field: string, problems: Problem[]): IngressBackend {
  if (!raw.service === !raw.resource) {
    problems.push({ field, message: "must have exactly one of service and resource" });
  }
  if (raw.resource) return { type: "resource", text: `${raw.resource.kind} ${raw.resource.name}` };
  const port = raw.service?.port.number ?? raw.service?.port.name;
  if (raw.service && !raw.service.port.number === !raw.service.port.name) {
    problems.push({ field: `${field}.service.port`, message: "must have exactly one of number and name" });
  }
  return { type: "service", name: raw.service?.name ?? "", port: port ?? 0 };
}
