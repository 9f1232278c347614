/**
 * The door of this folder: raw objects (of a manifest, or of an API server) in, parsed values or problems out.
 * Core kinds may carry fields that we do not know; a UwsgiRoute's spec may not.
 */
import { z } from "zod";
import { DOMAIN } from "./annotations.ts";
import { type EndpointSlice, endpointSliceSchema, parseEndpointSlice } from "./endpointslice.ts";
import { type Ingress, ingressClassName, ingressSpecSchema, parseIngress } from "./ingress.ts";
import { type IngressClass, ingressClassSpecSchema, parseIngressClass } from "./ingressclass.ts";
import { KINDS, type Kind, metadataSchema, type ObjectRef, type RawMetadata } from "./metadata.ts";
import { describeIssue, type Problem, problemsOf } from "./problem.ts";
import { independentOf, salvage } from "./salvage.ts";
import { parseSecret, secretSchema, TLS_SECRET_TYPE, type TlsSecret } from "./secret.ts";
import { parseService, type Service, serviceSpecSchema } from "./service.ts";
import { nearestName } from "./spelling.ts";
import { parseUwsgiRoute, type UwsgiRoute, uwsgiRouteSpecSchema } from "./uwsgiroute.ts";

export type Resource = EndpointSlice | Ingress | IngressClass | Service | TlsSecret | UwsgiRoute;

export type ParseResult =
  | { readonly type: "object"; readonly object: Resource }
  | InvalidResult
  | IgnoredResult;

/** A kind that we do not read. */
export interface IgnoredResult {
  readonly type: "ignored";
  /** One that it looks like a slip of. */
  readonly meant?: Kind;
}

export interface InvalidResult {
  readonly type: "invalid";
  /** Absent where the object does not even say what it is. */
  readonly ref?: ObjectRef;
  /** So that a bad object of another class can be left alone like a good one. */
  readonly className?: string;
  readonly problems: readonly Problem[];
  /** What could be read in spite of the problems: to find more of them in, never to serve. */
  readonly partial?: Resource;
}

const IGNORED: IgnoredResult = { type: "ignored" };
const header = z.object({ apiVersion: z.string().min(1), kind: z.string().min(1) });

interface KindReader {
  readonly apiVersion: string;
  readonly schema: z.ZodType;
  read(metadata: RawMetadata, body: never, problems: Problem[]): Resource;
}

function withSpec<Schema extends z.ZodType, Spec extends z.infer<Schema>>(
  apiVersion: string,
  spec: Schema,
  read: (metadata: RawMetadata, spec: Spec, problems: Problem[]) => Resource,
): KindReader {
  return {
    apiVersion,
    schema: z.object({ metadata: metadataSchema, spec }),
    read: (metadata, body: { spec: Spec }, problems) => read(metadata, body.spec, problems),
  };
}

const READERS: Readonly<Record<Kind, KindReader>> = {
  EndpointSlice: {
    apiVersion: "discovery.k8s.io/v1",
    schema: endpointSliceSchema.extend({ metadata: metadataSchema }),
    read: parseEndpointSlice,
  },
  Ingress: withSpec("networking.k8s.io/v1", ingressSpecSchema, parseIngress),
  IngressClass: withSpec("networking.k8s.io/v1", ingressClassSpecSchema, parseIngressClass),
  Secret: { apiVersion: "v1", schema: secretSchema.extend({ metadata: metadataSchema }), read: parseSecret },
  Service: withSpec("v1", serviceSpecSchema, parseService),
  UwsgiRoute: withSpec(`${DOMAIN}/v1alpha1`, uwsgiRouteSpecSchema, parseUwsgiRoute),
};

/** One raw object. Never throws. */
export function parseObject(raw: unknown): ParseResult {
  const head = header.safeParse(raw, { error: describeIssue });
  if (!head.success) return { type: "invalid", problems: problemsOf(head.error) };
  const { apiVersion, kind } = head.data;
  const reader = readerFor(apiVersion, kind);
  if (reader === "ignore") return ignored(apiVersion, kind);
  const ref = refOf(raw, kind as Kind);
  if (reader === undefined || reader.apiVersion !== apiVersion) {
    const message =
      reader === undefined ? "is not a kind of this group: use UwsgiRoute" : `must be ${reader.apiVersion}`;
    return invalid(raw, ref, [{ field: reader === undefined ? "kind" : "apiVersion", message }]);
  }
  if (kind === "Secret" && (raw as { type?: unknown }).type !== TLS_SECRET_TYPE) return IGNORED;
  const { object, problems } = readBody(raw, reader);
  if (problems.length > 0) return invalid(raw, ref, problems, object);
  return { type: "object", object: object! };
}

/** The object, where it can be made out, and all that is wrong with it: one mistake hides no other. */
function readBody(raw: unknown, reader: KindReader): { object?: Resource; problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const read = (body: unknown) =>
    reader.read((body as { metadata: RawMetadata }).metadata, body as never, problems);
  const body = reader.schema.safeParse(raw, { error: describeIssue });
  if (body.success) return { object: read(body.data), problems };
  const refused = problemsOf(body.error);
  const rest = salvage(raw, reader.schema, body.error);
  if (rest === undefined) return { problems: refused };
  const object = read(rest.body);
  return { object, problems: [...refused, ...independentOf(rest.removed, problems)] };
}

/** The objects of one document: itself, or the items of a `List` kind. An empty document holds none. */
export function openLists(raw: unknown): readonly unknown[] {
  if (raw === null || raw === undefined) return [];
  const { kind, items } = raw as { kind?: unknown; items?: unknown };
  const isList = typeof kind === "string" && kind.endsWith("List") && Array.isArray(items);
  return isList ? items.flatMap(openLists) : [raw];
}

/** Kinds of other groups are none of ours even where the name is the same (Knative's Service). */
function readerFor(apiVersion: string, kind: string): KindReader | "ignore" | undefined {
  const group = groupOf(apiVersion);
  if (!(KINDS as readonly string[]).includes(kind)) return group === DOMAIN ? undefined : "ignore";
  const reader = READERS[kind as Kind];
  const ours = group === groupOf(reader.apiVersion);
  // Ingress began in a group of its own; saying so beats ignoring an old manifest.
  const formerly = kind === "Ingress" && group === "extensions";
  return ours || formerly || kind === "UwsgiRoute" ? reader : "ignore";
}

function ignored(apiVersion: string, kind: string): IgnoredResult {
  const group = groupOf(apiVersion);
  const kinds = KINDS.filter((each) => group === groupOf(READERS[each].apiVersion));
  // Found by name, it is a kind of another group.
  const meant = kinds.includes(kind as Kind) ? undefined : nearestName(kind, kinds);
  return meant === undefined ? IGNORED : { type: "ignored", meant };
}

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

function refOf(raw: unknown, kind: Kind): ObjectRef | undefined {
  const { name, namespace } =
    (raw as { metadata?: { name?: unknown; namespace?: unknown } | null }).metadata ?? {};
  if (typeof name !== "string") return undefined;
  if (kind === "IngressClass") return { kind, namespace: "", name };
  return { kind, namespace: typeof namespace === "string" ? namespace : "default", name };
}

function invalid(
  raw: unknown,
  ref: ObjectRef | undefined,
  problems: readonly Problem[],
  partial?: Resource,
): InvalidResult {
  const { kind, metadata, spec } = raw as {
    kind?: unknown;
    metadata?: { annotations?: unknown } | null;
    spec?: { ingressClassName?: unknown } | null;
  };
  const annotations = kind === "Ingress" ? metadata?.annotations : undefined;
  const className = ingressClassName(annotations, spec?.ingressClassName);
  return {
    type: "invalid",
    ...(ref === undefined ? {} : { ref }),
    ...(className === undefined ? {} : { className }),
    problems,
    ...(partial === undefined ? {} : { partial }),
  };
}
