/**
 * Values of uwsgi params: literals with `$variables`, in the spelling of NGINX. Parsed here so that translate
 * (which refuses unknown names) and routing (which compiles them) cannot disagree.
 */

/** Variables without a suffix. `$http_<name>`, `$arg_<name>` and `$cookie_<name>` come on top. */
export const VARIABLES = [
  "args",
  "document_root",
  "host",
  "https",
  "proxy_add_x_forwarded_for",
  "query_string",
  "remote_addr",
  "remote_port",
  "request_id",
  "request_method",
  "request_uri",
  "scheme",
  "server_name",
  "server_port",
  "server_protocol",
  "ssl_client_s_dn",
  "ssl_client_verify",
  "ssl_server_name",
  "time_iso8601",
  "uri",
] as const;

export type VariableName = (typeof VARIABLES)[number];

export type TemplatePart =
  | { readonly type: "literal"; readonly text: string }
  | { readonly type: "variable"; readonly name: VariableName }
  /** `name` is lower case, `_` for `-` in header names, as NGINX writes them. */
  | { readonly type: "http" | "arg" | "cookie"; readonly name: string };

const known: ReadonlySet<string> = new Set(VARIABLES);
const reference = /\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))|\$/g;

/** Splits a param's value into its parts. Throws `TemplateError` on an unknown variable or a stray `$`. */
export function parseTemplate(value: string): readonly TemplatePart[] {
  const parts: TemplatePart[] = [];
  let end = 0;
  for (const found of value.matchAll(reference)) {
    if (found.index > end) parts.push({ type: "literal", text: value.slice(end, found.index) });
    const name = found[1] ?? found[2];
    if (name === undefined) throw new TemplateError(`"$" without a variable name in "${value}"`);
    parts.push(variable(name));
    end = found.index + found[0].length;
  }
  if (end < value.length) parts.push({ type: "literal", text: value.slice(end) });
  return parts;
}

function variable(name: string): TemplatePart {
  if (known.has(name)) return { type: "variable", name: name as VariableName };
  const prefixed = /^(http|arg|cookie)_(.+)$/.exec(name);
  if (prefixed) {
    const type = prefixed[1] as "http" | "arg" | "cookie";
    return { type, name: type === "http" ? prefixed[2]!.toLowerCase() : prefixed[2]! };
  }
  throw new TemplateError(`unknown variable "$${name}"`);
}

export class TemplateError extends Error {
  override name = "TemplateError";
}
