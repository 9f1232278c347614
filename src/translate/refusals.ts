import { DOMAIN } from "../resources/annotations.ts";
import type { Forwarding, Param } from "../resources/forwarding.ts";
import type { Resource } from "../resources/parse.ts";
import { fieldPath, type Problem } from "../resources/problem.ts";
import type { RouteForward } from "../resources/uwsgiroute.ts";
import { parseTemplate, TemplateError } from "../snapshot/template.ts";
import type { TranslateOptions } from "./options.ts";

/**
 * What makes a well-formed object unacceptable here. A source asks before it takes a new state of an object, so
 * that a refused change leaves the last good state serving.
 */
export function refusals(object: Resource, options: TranslateOptions): readonly Problem[] {
  const problems: Problem[] = [];
  if (object.kind === "Ingress") {
    const field = fieldPath(["metadata", "annotations", `${DOMAIN}/params`]);
    refuseParams(object.forwarding, field, options, problems);
  }
  if (object.kind === "UwsgiRoute") {
    object.rules.forEach(({ action }, i) => {
      if (action.type === "static") return;
      refuseSockets(action, `spec.rules[${i}].backendRefs`, options, problems);
      refuseParams(action.forwarding, `spec.rules[${i}].uwsgi.params`, options, problems);
    });
  }
  return problems;
}

function refuseSockets(
  action: RouteForward,
  field: string,
  options: TranslateOptions,
  problems: Problem[],
): void {
  if (options.socketBackends) return;
  action.backends.forEach((backend, i) => {
    if (backend.type !== "socket") return;
    const message = "is for the sidecar and standalone modes only: name a Service and its port";
    problems.push({ field: `${field}[${i}].socket`, message });
  });
}

function refuseParams(
  forwarding: Forwarding,
  field: string,
  options: TranslateOptions,
  problems: Problem[],
): void {
  for (const param of forwarding.params) {
    const message = nameFault(param, options) ?? valueFault(param);
    if (message !== undefined) problems.push({ field: `${field}.${param.name}`, message });
  }
}

/** uWSGI acts on its own variables: they load code, open files and set its environment. */
function nameFault({ name }: Param, options: TranslateOptions): string | undefined {
  if (!/^uwsgi_/i.test(name) || name === "UWSGI_SCHEME" || name === "UWSGI_APPID") return undefined;
  if (name !== "UWSGI_SCRIPT") {
    return "is refused: uWSGI loads code or opens files on UWSGI_* variables; only UWSGI_SCHEME and UWSGI_APPID are open";
  }
  if (options.allowUwsgiScript) return undefined;
  return "is refused: it makes uWSGI load a module by name; the gateway's administrator can allow it";
}

/** Params whose value was read before. */
const readable = new WeakSet<Param>();

function valueFault(param: Param): string | undefined {
  if (readable.has(param)) return undefined;
  try {
    parseTemplate(param.value);
    readable.add(param);
    return undefined;
  } catch (error) {
    if (error instanceof TemplateError) return `has a value that does not read: ${error.message}`;
    throw error;
  }
}
