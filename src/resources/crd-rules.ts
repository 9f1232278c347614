import {
  MAX_UNIX_PATH_BYTES,
  SOCKET_ABSOLUTE_MESSAGE,
  SOCKET_FORM_MESSAGE,
  SOCKET_PORT_MESSAGE,
} from "./address.ts";
import { DURATION_PATTERN } from "./duration.ts";
import {
  DURATION_LONG_MESSAGE,
  DURATION_MESSAGE,
  DURATION_ZERO_MESSAGE,
  FORWARDING_FIELDS,
  SCRIPT_NAME_MESSAGE,
  SCRIPT_NAME_PATTERN,
  SIZE_MESSAGE,
  TEXT_MESSAGE,
} from "./forwarding.ts";
import {
  HOSTNAME_ADDRESS_MESSAGE,
  HOSTNAME_LABEL_MESSAGE,
  HOSTNAME_MESSAGE,
  HOSTNAME_PATTERN,
  MAX_LABEL_CHARACTERS,
} from "./hostname.ts";
import { DNS_NAME } from "./metadata.ts";
import {
  PATH_CONTROL_MESSAGE,
  PATH_DOTS_MESSAGE,
  PATH_ENCODED_MESSAGE,
  PATH_ESCAPE_MESSAGE,
  PATH_QUERY_MESSAGE,
  PATH_SLASHES_MESSAGE,
  PATH_START_MESSAGE,
} from "./path.ts";
import { QUANTITY_PATTERN } from "./quantity.ts";
import {
  FORWARDING_ONLY_MESSAGE,
  INDEX_MESSAGE,
  INDEX_PATTERN,
  MAX_HOST_PATH_PAIRS,
  NAME_TWICE_MESSAGE,
  ONE_ACTION_MESSAGE,
  PAIRS_MESSAGE,
  ROOT_MESSAGE,
  ROOT_PATTERN,
  SECRET_NAME_MESSAGE,
  SOCKET_OR_SERVICE_MESSAGE,
  STRIP_EXACT_MESSAGE,
} from "./uwsgiroute.ts";

/** One entry of `x-kubernetes-validations`: what must hold, in CEL, and what is told where it does not. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
  /** From the schema that holds the rule, `.static`: the field that the message is about. */
  readonly fieldPath?: string;
}

/** JavaScript's spelling of a pattern as RE2 reads it. Both anchor with `^` and `$` at the text's ends. */
export function re2(pattern: RegExp | string): string {
  const source = typeof pattern === "string" ? pattern : pattern.source;
  return source.replaceAll("\\/", "/").replaceAll("\\0", "\\x00");
}

function matches(pattern: RegExp): string {
  return `self.matches(r'${re2(pattern)}')`;
}

const HAS_NO_CONTROL = String.raw`!self.matches(r'[\x00\r\n]')`;
const DURATION = matches(DURATION_PATTERN);

/** Rules that need a duration look at one only: each mistake is told once. */
function durationRules(minimum: "zero" | "more"): readonly CelRule[] {
  const rules: CelRule[] = [
    { rule: DURATION, message: DURATION_MESSAGE },
    { rule: `!${DURATION} || duration(self) <= duration('24h')`, message: DURATION_LONG_MESSAGE },
  ];
  if (minimum === "more") {
    rules.push({ rule: `!${DURATION} || duration(self) > duration('0s')`, message: DURATION_ZERO_MESSAGE });
  }
  return rules;
}

/** `isIP` would say it, on API servers of 1.31 and newer. */
const OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const IPV4 = String.raw`${OCTET}(\.${OCTET}){3}`;

const HOSTNAME_RULES: readonly CelRule[] = [
  { rule: matches(HOSTNAME_PATTERN), message: HOSTNAME_MESSAGE },
  { rule: `!self.matches(r'^${IPV4}$')`, message: HOSTNAME_ADDRESS_MESSAGE },
  {
    rule: `self.split('.').all(label, size(label) <= ${MAX_LABEL_CHARACTERS})`,
    message: HOSTNAME_LABEL_MESSAGE,
  },
];

/** That escapes are UTF-8 cannot be said in CEL; `parsePath` finds it. */
const PATH_RULES: readonly CelRule[] = [
  { rule: "self.startsWith('/')", message: PATH_START_MESSAGE },
  { rule: "!self.matches(r'[?#]')", message: PATH_QUERY_MESSAGE },
  { rule: String.raw`!self.matches(r'[\x00-\x20\x7f]')`, message: PATH_CONTROL_MESSAGE },
  { rule: "!self.matches(r'(?i)%2f|%00')", message: PATH_ENCODED_MESSAGE },
  { rule: "!self.matches(r'(?i)%.?($|[^0-9a-f])')", message: PATH_ESCAPE_MESSAGE },
  { rule: "!self.contains('//')", message: PATH_SLASHES_MESSAGE },
  { rule: String.raw`!self.matches(r'(?i)/(\.|%2e){1,2}(/|$)')`, message: PATH_DOTS_MESSAGE },
];

const RULE_RULES: readonly CelRule[] = [
  { rule: "has(self.backendRefs) != has(self.static)", message: ONE_ACTION_MESSAGE },
  ...FORWARDING_FIELDS.map((field) => ({
    rule: `!has(self.static) || !has(self.${field})`,
    message: FORWARDING_ONLY_MESSAGE,
    fieldPath: `.${field}`,
  })),
  {
    rule:
      "!has(self.static) || !has(self.static.stripPrefix) || !self.static.stripPrefix || !has(self.matches) || " +
      "self.matches.all(match, !has(match.path) || !has(match.path.type) || match.path.type != 'Exact')",
    message: STRIP_EXACT_MESSAGE,
    fieldPath: ".static.stripPrefix",
  },
];

const SOCKET_HOST_AND_PORT = String.raw`self.matches(r'^(\[[^\[\]]+\]|[^:\[\]]+):[0-9]{1,9}$')`;
/** `socketAddress` looks closer at IPv6. */
const SOCKET_HOST = String.raw`self.matches(r'^(localhost|${IPV4}|\[[0-9A-Fa-f:.]+\]):')`;
const SOCKET_PORT = "int(self.substring(self.lastIndexOf(':') + 1))";

const SOCKET_RULES: readonly CelRule[] = [
  { rule: `self.startsWith('unix:') || ${SOCKET_HOST_AND_PORT}`, message: SOCKET_FORM_MESSAGE },
  { rule: "!self.startsWith('unix:') || self.startsWith('unix:/')", message: SOCKET_ABSOLUTE_MESSAGE },
  {
    rule: String.raw`!self.startsWith('unix:') || (size(self) <= ${
      MAX_UNIX_PATH_BYTES + "unix:".length
    } && !self.matches(r'\x00'))`,
    message: `must have a path of at most ${MAX_UNIX_PATH_BYTES} bytes, without NUL`,
  },
  {
    rule: `!${SOCKET_HOST_AND_PORT} || self.startsWith('unix:') || (${SOCKET_PORT} >= 1 && ${SOCKET_PORT} <= 65535)`,
    message: SOCKET_PORT_MESSAGE,
  },
  {
    rule: `!${SOCKET_HOST_AND_PORT} || self.startsWith('unix:') || ${SOCKET_HOST}`,
    message: 'must have an IP address or "localhost" as its host',
  },
];

const SIZE = matches(QUANTITY_PATTERN);

/** That `1.5Gi` is a whole number, and `1.0001Ki` is none, cannot be said in CEL; `quantityBytes` knows. */
const SIZE_RULES: readonly CelRule[] = [
  { rule: `type(self) != string || ${SIZE}`, message: SIZE_MESSAGE },
  {
    rule: "type(self) != string || !self.endsWith('m')",
    message: '"m" stands for thousandths in Kubernetes: write "Mi" for mebibytes',
  },
  {
    rule: String.raw`type(self) != string || !self.matches(r'^[0-9]+\.0*[1-9][0-9]*$')`,
    message: "is not a whole number of bytes",
  },
  {
    rule: `type(self) != string || !${SIZE} || !quantity(self).isGreaterThan(quantity('${Number.MAX_SAFE_INTEGER}'))`,
    message: `must be at most ${Number.MAX_SAFE_INTEGER} bytes; 0 is no limit`,
  },
];

const PAIRS =
  "(has(self.hostnames) && size(self.hostnames) > 0 ? size(self.hostnames) : 1) * " +
  "self.rules.map(each, has(each.matches) ? size(each.matches) : 1).sum()";

/**
 * What the structure cannot say, by place in the schema: `[]` stands for a list's items. The parsers of this folder check the
 * same and are what counts; these tell it earlier, at `kubectl apply`. Out of reach for CEL here: the object's own namespace, and
 * the names in `uwsgi.params`, since values of more than one type cannot be seen.
 */
export const CEL_RULES: ReadonlyMap<string, readonly CelRule[]> = new Map(
  Object.entries({
    spec: [{ rule: `${PAIRS} <= ${MAX_HOST_PATH_PAIRS}`, message: PAIRS_MESSAGE, fieldPath: ".rules" }],
    "spec.hostnames": [
      { rule: "self.all(name, self.exists_one(other, other == name))", message: NAME_TWICE_MESSAGE },
    ],
    "spec.hostnames[]": HOSTNAME_RULES,
    "spec.tls.secretName": [{ rule: matches(DNS_NAME), message: SECRET_NAME_MESSAGE }],
    "spec.rules[]": RULE_RULES,
    "spec.rules[].matches[].path.value": PATH_RULES,
    "spec.rules[].backendRefs[]": [
      {
        rule: "has(self.socket) ? !has(self.name) && !has(self.port) : has(self.name) && has(self.port)",
        message: SOCKET_OR_SERVICE_MESSAGE,
      },
    ],
    "spec.rules[].backendRefs[].socket": SOCKET_RULES,
    "spec.rules[].static.root": [{ rule: matches(ROOT_PATTERN), message: ROOT_MESSAGE }],
    "spec.rules[].static.index[]": [{ rule: matches(INDEX_PATTERN), message: INDEX_MESSAGE }],
    "spec.rules[].uwsgi.scriptName": [
      { rule: `self == '' || ${matches(SCRIPT_NAME_PATTERN)}`, message: SCRIPT_NAME_MESSAGE },
      { rule: HAS_NO_CONTROL, message: TEXT_MESSAGE },
    ],
    "spec.rules[].uwsgi.documentRoot": [{ rule: HAS_NO_CONTROL, message: TEXT_MESSAGE }],
    "spec.rules[].request.maxBodySize": SIZE_RULES,
    "spec.rules[].timeouts.connect": durationRules("more"),
    "spec.rules[].timeouts.send": durationRules("more"),
    "spec.rules[].timeouts.read": durationRules("more"),
    "spec.rules[].retries.within": durationRules("zero"),
    "spec.rules[].health.failTimeout": durationRules("more"),
  } satisfies Record<string, readonly CelRule[]>),
);
