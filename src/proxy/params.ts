/** The variables of uwsgi params, with NGINX's meanings. */
import { FIELD, FIELD_FLAGS, FORWARDING, HOP_BY_HOP, type KnownField } from "../http1/fields.ts";
import type { ForwardTarget } from "../routing/table.ts";
import type { TemplatePart, VariableName } from "../snapshot/template.ts";
import type { Request } from "./request.ts";
import type { LateFacts, SentAs } from "./vars.ts";

/** The value of a param as a binary string. */
export function paramValue(
  parts: readonly TemplatePart[],
  request: Request,
  target: ForwardTarget,
  as: SentAs,
  late: LateFacts,
): string {
  let value = "";
  for (const part of parts) {
    switch (part.type) {
      case "literal":
        value += wireText(part.text);
        break;
      case "variable":
        value += variable(part.name, request, target, as, late);
        break;
      case "http":
        value += fieldValue(part.name, request);
        break;
      case "arg":
        value += argument(part.name, queryOf(request, as));
        break;
      case "cookie":
        value += cookie(part.name, request.known(FIELD.cookie) ?? "");
        break;
    }
  }
  return value;
}

/** What an administrator wrote as text; the wire carries bytes. */
function wireText(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function queryOf(request: Request, as: SentAs): string {
  return as.redirectQuery ?? request.queryString;
}

function variable(
  name: VariableName,
  request: Request,
  target: ForwardTarget,
  as: SentAs,
  late: LateFacts,
): string {
  const { client } = request;
  switch (name) {
    case "args":
    case "query_string":
      return queryOf(request, as);
    case "document_root":
      return wireText(target.settings.uwsgi.documentRoot);
    case "host":
      return request.host || target.serverName || "";
    case "https":
      return client.scheme === "https" ? "on" : "";
    case "proxy_add_x_forwarded_for":
      return client.forwarded(request).get(FIELD.x_forwarded_for)!.value;
    case "remote_addr":
      return client.address;
    case "remote_port":
      return String(client.port);
    case "request_id":
      return late.id;
    case "request_method":
      return as.method;
    case "request_uri":
      return request.rawTarget;
    case "scheme":
      return client.scheme;
    case "server_name":
      return target.serverName ?? request.host;
    case "server_port":
      return String(client.localPort);
    case "server_protocol":
      return request.protocol;
    case "time_iso8601":
      return new Date(late.epochMs()).toISOString().replace(/\.\d+Z$/, "+00:00");
    case "uri":
      return as.path;
    // Without TLS on the listener there is nothing to tell.
    case "ssl_client_s_dn":
    case "ssl_client_verify":
    case "ssl_server_name":
      return "";
  }
}

/** `$http_x_real_ip` and the like: after the trust rule, so that a route may pass it on as it is. */
function fieldValue(variableName: string, request: Request): string {
  const known = FIELD[variableName as KnownField];
  if (known !== undefined) {
    const flags = FIELD_FLAGS[known]!;
    if ((flags & FORWARDING) !== 0) return request.client.forwarded(request).get(known)?.value ?? "";
    const isHandshake = request.upgrade && (known === FIELD.upgrade || known === FIELD.connection);
    if ((flags & HOP_BY_HOP) !== 0 && !isHandshake) return "";
    if (known === FIELD.host) return request.hostHeader;
  }
  return request.field(variableName.replaceAll("_", "-")) ?? "";
}

/** NGINX's `$arg_`: the first of that name, compared without case, as it came. */
function argument(name: string, query: string): string {
  const wanted = name.toLowerCase();
  for (const pair of query.split("&")) {
    const equals = pair.indexOf("=");
    if (equals > 0 && pair.slice(0, equals).toLowerCase() === wanted) return pair.slice(equals + 1);
  }
  return "";
}

/** NGINX's `$cookie_`: the first of that name, compared without case. */
function cookie(name: string, cookies: string): string {
  const wanted = name.toLowerCase();
  for (const pair of cookies.split(";")) {
    const equals = pair.indexOf("=");
    if (equals > 0 && pair.slice(0, equals).trim().toLowerCase() === wanted)
      return pair.slice(equals + 1).trim();
  }
  return "";
}
