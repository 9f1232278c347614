/** The proxy's options. */

import { tmpdir } from "node:os";
import {
  type Environment,
  nonEmpty,
  OptionsCommand,
  OptionsError,
  oneOf,
  type Parsed,
  positiveTime,
  whole,
} from "./command.ts";
import { LOG_LEVELS, type LogLevel } from "./log.ts";
import {
  formatListenAddress,
  type ListenAddress,
  parseDurationMs,
  parseListenAddress,
  parseSizeBytes,
} from "./quantity.ts";
import {
  addSourceOptions,
  type RouteSource,
  routeSource,
  type SourceFlags,
  splitFlags,
} from "./route-source.ts";
import { parseCidr } from "./trust.ts";

export const ACCESS_LOG_FORMATS = ["json", "combined"] as const;
export type AccessLogFormat = (typeof ACCESS_LOG_FORMATS)[number];

export interface ProxyOptions {
  readonly source: RouteSource;
  readonly http: readonly ListenAddress[];
  readonly admin: ListenAddress;
  /** Processes that share the ports. 1: no child process. */
  readonly workers: number;
  /** Share of requests that get an access line: 0 for none, 1 for all. */
  readonly accessLogShare: number;
  readonly accessLogFormat: AccessLogFormat;
  readonly logLevel: LogLevel;
  /** CIDRs whose forwarded headers are believed. */
  readonly trustedProxies: readonly string[];
  /** The `Server` header of responses whose app sent none; `""` for no header. */
  readonly serverHeader: string;
  /** Client connections per worker. */
  readonly maxConnections: number;
  readonly maxRequestsPerConnection: number;
  /** From a request's first byte to the end of its head. */
  readonly headerTimeoutMs: number;
  /** Between two reads of a request body. */
  readonly bodyTimeoutMs: number;
  /** A connection without a request. */
  readonly idleTimeoutMs: number;
  /** Between two successful writes to the client. */
  readonly sendTimeoutMs: number;
  /** After SIGTERM, not ready but still accepting, so that load balancers can notice. */
  readonly drainDelayMs: number;
  /** Then, for requests in flight to finish. */
  readonly drainTimeoutMs: number;
  /** Of one request body, before the rest goes to a temporary file. */
  readonly bodyMemoryBytes: number;
  /** Of one response, before the rest goes to a temporary file. */
  readonly responseMemoryBytes: number;
  readonly tempDir: string;
  /** `/readyz` is 200 only while every uWSGI behind us answers a ping. */
  readonly readyUwsgi: boolean;
  /** Let routes set the var UWSGI_SCRIPT, which names code to load. */
  readonly allowUwsgiScript: boolean;
}

/** As the command line has them, before the source is made one. */
interface RawOptions extends Omit<ProxyOptions, "source">, SourceFlags {}

/** Reads `argv` (without the runtime and the script) and the environment. Throws `OptionsError`. */
export function parseProxyOptions(
  argv: readonly string[],
  env: Environment,
  version: string,
): Parsed<ProxyOptions> {
  const command = new OptionsCommand<RawOptions>({
    name: "uwsgi-gateway",
    description: "Serves HTTP from uWSGI apps and files, as Kubernetes objects say.",
    version,
    epilogue: HELP_EPILOGUE,
  });
  addSourceOptions(command);
  addServing(command);
  addLogging(command);
  addLimits(command);
  const parsed = command.parse(argv, env);
  if (parsed.type === "print") return parsed;
  refuseSharedAddresses(parsed.options);
  const { sourceFlags, rest } = splitFlags(parsed.options);
  return { type: "run", options: { ...rest, source: routeSource(sourceFlags) } };
}

/** Workers share their ports, so the system lets an address pass that is given twice. */
function refuseSharedAddresses({ http, admin }: Pick<ProxyOptions, "http" | "admin">): void {
  const seen = new Set<string>();
  for (const address of http) {
    const text = formatListenAddress(address);
    if (address.port !== 0 && seen.has(text)) {
      throw new OptionsError(
        `error: option '--http <HOST:PORT>' value '${text}' is invalid. It is given twice.`,
      );
    }
    seen.add(text);
  }
  const text = formatListenAddress(admin);
  if (admin.port !== 0 && seen.has(text)) {
    throw new OptionsError(
      `error: option '--admin <HOST:PORT>' value '${text}' is invalid. It is an address of --http too.`,
    );
  }
}

type ProxyCommand = OptionsCommand<RawOptions>;

function addServing(command: ProxyCommand): void {
  command.addList(
    "http",
    "--http <HOST:PORT>",
    "listen for HTTP here; repeatable; port 0: any free one",
    parseListenAddress,
    [{ hostname: "0.0.0.0", port: 8080 }],
    "0.0.0.0:8080",
  );
  const admin = { hostname: "127.0.0.1", port: 9145 };
  command.add(
    "admin",
    "--admin <HOST:PORT>",
    "health, metrics and routes",
    parseListenAddress,
    admin,
    "127.0.0.1:9145",
  );
  command.addFlag("readyUwsgi", "--ready-uwsgi", "be ready only while every uWSGI answers a ping");
  command.add("workers", "--workers <N>", "processes that share the ports", whole(1, 256), 1);
  command.addList(
    "trustedProxies",
    "--trusted-proxies <CIDR>",
    "peers whose forwarded headers are believed; repeatable",
    cidr,
    [],
    "none",
  );
  command.add(
    "serverHeader",
    "--server-header <NAME|off>",
    "the Server header where the app sends none",
    serverHeader,
    "uwsgi-gateway",
  );
  command.addFlag(
    "allowUwsgiScript",
    "--allow-uwsgi-script",
    "let routes set the var UWSGI_SCRIPT, which names code to load",
  );
}

function addLogging(command: ProxyCommand): void {
  command.add(
    "accessLogShare",
    "--access-log <off|all|FRACTION>",
    "which requests are logged; 0.01: one in a hundred",
    share,
    1,
    "all",
  );
  command.add(
    "accessLogFormat",
    "--access-log-format <json|combined>",
    "form of the access lines",
    oneOf(ACCESS_LOG_FORMATS),
    "json",
  );
  command.add("logLevel", "--log-level <LEVEL>", LOG_LEVELS.join(", "), oneOf(LOG_LEVELS), "info");
}

function addLimits(command: ProxyCommand): void {
  command.add(
    "maxConnections",
    "--max-connections <N>",
    "client connections per worker",
    whole(1, 1_000_000),
    16_384,
  );
  command.add(
    "maxRequestsPerConnection",
    "--max-requests-per-connection <N>",
    "then it is closed",
    whole(1, 1_000_000_000),
    1000,
  );
  command.add(
    "headerTimeoutMs",
    "--header-timeout <TIME>",
    "for a whole request head",
    positiveTime,
    60_000,
    "60s",
  );
  command.add(
    "bodyTimeoutMs",
    "--body-timeout <TIME>",
    "between two reads of a request body",
    positiveTime,
    60_000,
    "60s",
  );
  command.add(
    "idleTimeoutMs",
    "--idle-timeout <TIME>",
    "for a connection without a request",
    positiveTime,
    75_000,
    "75s",
  );
  command.add(
    "sendTimeoutMs",
    "--send-timeout <TIME>",
    "between two writes to a client",
    positiveTime,
    60_000,
    "60s",
  );
  command.add(
    "drainDelayMs",
    "--drain-delay <TIME>",
    "keep accepting after SIGTERM, not ready",
    parseDurationMs,
    0,
    "0s",
  );
  command.add(
    "drainTimeoutMs",
    "--drain-timeout <TIME>",
    "then let requests finish",
    parseDurationMs,
    30_000,
    "30s",
  );
  command.add(
    "bodyMemoryBytes",
    "--body-memory <SIZE>",
    "of a request body, then a temporary file",
    parseSizeBytes,
    65_536,
    "64Ki",
  );
  command.add(
    "responseMemoryBytes",
    "--response-memory <SIZE>",
    "of a response, then a temporary file",
    parseSizeBytes,
    65_536,
    "64Ki",
  );
  command.add("tempDir", "--temp-dir <DIR>", "for temporary files", nonEmpty, tmpdir());
}

function cidr(text: string): string {
  parseCidr(text);
  return text;
}

function share(text: string): number {
  if (text === "off") return 0;
  if (text === "all") return 1;
  const value = /^(0?\.\d+|[01](\.0+)?)$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 0 && value <= 1)) throw new RangeError("expected off, all, or a fraction such as 0.01");
  return value;
}

function serverHeader(text: string): string {
  if (text === "off") return "";
  if (!/^[!-~]([ -~]*[!-~])?$/.test(text)) throw new RangeError("expected visible ASCII, or off");
  return text;
}

const HELP_EPILOGUE = `
TIME is a number with a unit: 500ms, 10s, 1m, 1h. SIZE is bytes, or a number with Ki, Mi or Gi.

Each option is also an environment variable: --drain-delay is UWSGI_GATEWAY_DRAIN_DELAY; repeatable ones take
commas. The command line wins.

Signals: SIGTERM and SIGINT drain and exit 0; a second one exits at once.`;
