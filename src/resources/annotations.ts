import { parse } from "yaml";
import { DEFAULT_FORWARDING, type Forwarding, forwardingSchema, parseForwarding } from "./forwarding.ts";
import { describeIssue, fieldPath, type Problem, problemsOf } from "./problem.ts";

/** Annotations, the IngressClass controller and the API group share this domain. */
export const DOMAIN = "uwsgi-gateway.io";

type Reading = "text" | "number" | "boolean" | "numbers" | "mapping";

/** Each annotation of an Ingress is a field of a UwsgiRoute's rule in another spelling. */
const ANNOTATIONS: ReadonlyMap<string, { readonly field: string; readonly reading: Reading }> = new Map(
  Object.entries({
    params: { field: "uwsgi.params", reading: "mapping" },
    modifier1: { field: "uwsgi.modifier1", reading: "number" },
    modifier2: { field: "uwsgi.modifier2", reading: "number" },
    "script-name": { field: "uwsgi.scriptName", reading: "text" },
    "document-root": { field: "uwsgi.documentRoot", reading: "text" },
    "merge-slashes": { field: "uwsgi.mergeSlashes", reading: "boolean" },
    "buffer-size": { field: "uwsgi.bufferSize", reading: "number" },
    "max-vars": { field: "uwsgi.maxVars", reading: "number" },
    "request-buffering": { field: "request.buffering", reading: "boolean" },
    "max-body-size": { field: "request.maxBodySize", reading: "text" },
    "response-buffering": { field: "response.buffering", reading: "boolean" },
    "connect-timeout": { field: "timeouts.connect", reading: "text" },
    "send-timeout": { field: "timeouts.send", reading: "text" },
    "read-timeout": { field: "timeouts.read", reading: "text" },
    "retry-attempts": { field: "retries.attempts", reading: "number" },
    "retry-within": { field: "retries.within", reading: "text" },
    "retry-statuses": { field: "retries.statuses", reading: "numbers" },
    "retry-non-idempotent": { field: "retries.nonIdempotent", reading: "boolean" },
    "max-fails": { field: "health.maxFails", reading: "number" },
    "fail-timeout": { field: "health.failTimeout", reading: "text" },
    "load-balancing": { field: "loadBalancing", reading: "text" },
    "ignore-client-abort": { field: "ignoreClientAbort", reading: "boolean" },
  }),
);

export const ANNOTATION_NAMES: readonly string[] = [...ANNOTATIONS.keys()];

/** The forwarding options that an Ingress carries. Annotations of other domains are not looked at. */
export function parseAnnotations(
  annotations: Readonly<Record<string, string>> | null | undefined,
  problems: Problem[],
): Forwarding {
  const raw: Record<string, unknown> = {};
  for (const [key, text] of Object.entries(annotations ?? {})) {
    if (!key.startsWith(`${DOMAIN}/`)) continue;
    const annotation = ANNOTATIONS.get(key.slice(DOMAIN.length + 1));
    if (annotation === undefined) problems.push({ field: annotationField(key), message: unknownMessage() });
    else place(raw, annotation.field, read(text, annotation.reading));
  }
  if (Object.keys(raw).length === 0) return DEFAULT_FORWARDING;
  return parseRaw(raw, problems);
}

function parseRaw(raw: Record<string, unknown>, problems: Problem[]): Forwarding {
  const checked = forwardingSchema.safeParse(raw, { error: describeIssue });
  const found: Problem[] = checked.success ? [] : problemsOf(checked.error);
  const forwarding = checked.success ? parseForwarding(checked.data, "", found) : DEFAULT_FORWARDING;
  for (const { field, message } of found) problems.push({ field: spelledAsAnnotation(field), message });
  return forwarding;
}

/** Text that does not read as its type stays text, and the schema then says what it must be. */
function read(text: string, reading: Reading): unknown {
  switch (reading) {
    case "text":
      return text;
    case "number":
      return /^[0-9]+$/.test(text) ? Number(text) : text;
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text;
    case "numbers":
      return text.split(",").map((each) => read(each.trim(), "number"));
    case "mapping":
      return readMapping(text);
  }
}

function readMapping(text: string): unknown {
  try {
    return parse(text, { logLevel: "error", prettyErrors: false });
  } catch {
    return text;
  }
}

function place(raw: Record<string, unknown>, field: string, value: unknown): void {
  const [group, name] = field.split(".") as [string, string?];
  if (name === undefined) raw[group] = value;
  else raw[group] = { ...(raw[group] as object), [name]: value };
}

/** `uwsgi.params.Host` -> `metadata.annotations[uwsgi-gateway.io/params].Host`. */
function spelledAsAnnotation(field: string): string {
  for (const [name, annotation] of ANNOTATIONS) {
    if (field !== annotation.field && !/^[.[]/.test(field.slice(annotation.field.length))) continue;
    if (field.startsWith(annotation.field)) {
      return annotationField(`${DOMAIN}/${name}`) + field.slice(annotation.field.length);
    }
  }
  return field;
}

function annotationField(key: string): string {
  return fieldPath(["metadata", "annotations", key]);
}

function unknownMessage(): string {
  return `is not a known annotation: known are ${ANNOTATION_NAMES.join(", ")}`;
}
