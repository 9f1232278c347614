/** The proxy's options: command line first, then environment, then default. */

import { tmpdir } from "node:os";
import { Command, CommanderError, Option } from "commander";
import {
  formatListenAddress,
  type ListenAddress,
  parseDurationMs,
  parseListenAddress,
  parseSizeBytes,
  parseWhole,
} from "./quantity.ts";
import { parseCidr } from "./trust.ts";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const ACCESS_LOG_FORMATS = ["json", "combined"] as const;
export type AccessLogFormat = (typeof ACCESS_LOG_FORMATS)[number];

export interface ProxyOptions {
  /** The folder of manifests to serve and to watch. */
  readonly manifests: string;
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
  /** Let routes set the var UWSGI_SCRIPT, which names code to load. */
  readonly allowUwsgiScript: boolean;
}

/** Options that cannot be used; `message` names the option and where it came from. */
export class OptionsError extends Error {
  override name = "OptionsError";
}

export type ParsedOptions =
  | { readonly type: "run"; readonly options: ProxyOptions }
  /** `--help` or `--version` was asked for: print it and exit 0. */
  | { readonly type: "print"; readonly text: string };

export type Environment = Readonly<Record<string, string | undefined>>;

const ENV_PREFIX = "UWSGI_GATEWAY_";

/**
 * Reads `argv` (without the runtime and the script) and the environment. Repeatable options take commas as
 * well, which is how the environment says more than one. Throws `OptionsError`.
 */
export function parseProxyOptions(argv: readonly string[], env: Environment, version: string): ParsedOptions {
  let printed = "";
  let complaint = "";
  const command = proxyCommand(version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => (printed += text), writeErr: (text) => (complaint += text) });
  try {
    command.parse(argv, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return { type: "print", text: printed };
    throw new OptionsError(complaint.trim() || String(error));
  }
  for (const option of command.options) readEnvironment(command, option, env);
  const options = command.opts<ProxyOptions>();
  if (options.manifests === undefined) {
    throw new OptionsError("error: option '--manifests DIR' (env UWSGI_GATEWAY_MANIFESTS) is required");
  }
  refuseSharedAddresses(options);
  return { type: "run", options };
}

/** Workers share their ports, so the system lets an address pass that is given twice. */
function refuseSharedAddresses({ http, admin }: ProxyOptions): void {
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

/** Not commander's own `env()`, which reads the global environment. */
function readEnvironment(command: Command, option: Option, env: Environment): void {
  const key = option.attributeName();
  const text = env[environmentName(option.long!)];
  if (text === undefined || text === "" || command.getOptionValueSource(key) === "cli") return;
  try {
    const parse = option.isBoolean() ? parseBoolean : option.parseArg;
    command.setOptionValueWithSource(key, parse ? parse(text, undefined as never) : text, "env");
  } catch (error) {
    throw new OptionsError(
      `error: option '${option.flags}' value '${text}' from env '${environmentName(option.long!)}' is invalid. ${(error as Error).message}`,
    );
  }
}

export function environmentName(longFlag: string): string {
  return ENV_PREFIX + longFlag.replace(/^--/, "").replaceAll("-", "_").toUpperCase();
}

function proxyCommand(version: string): Command {
  const command = new Command("uwsgi-gateway")
    .description("Serves HTTP from uWSGI apps and files, as a folder of manifests says.")
    .version(version)
    .allowExcessArguments(false)
    .addHelpText("after", HELP_EPILOGUE);
  const add: Add = (key, flags, text, parse, fallback, shown) => {
    const option = new Option(flags, text).argParser((value: string) => complaining(parse, value));
    addNamed(command, key, fallback === undefined ? option : option.default(fallback, shown));
  };
  addServing(command, add);
  addLogging(add);
  addLimits(add);
  return command;
}

type Key = keyof ProxyOptions;
type Add = <K extends Key>(
  key: K,
  flags: string,
  text: string,
  parse: (value: string) => ProxyOptions[K],
  fallback?: ProxyOptions[K],
  shown?: string,
) => void;

/** Under the name of its field, which says the unit, rather than under that of the flag. */
function addNamed(command: Command, key: Key, option: Option): void {
  option.attributeName = () => key;
  command.addOption(option);
}

function addServing(command: Command, add: Add): void {
  add(
    "manifests",
    "--manifests <DIR>",
    "folder of Kubernetes manifests to serve and watch (required)",
    nonEmpty,
  );
  addList(
    command,
    "http",
    "--http <HOST:PORT>",
    "listen for HTTP here; repeatable; port 0: any free one",
    parseListenAddress,
    [{ hostname: "0.0.0.0", port: 8080 }],
    "0.0.0.0:8080",
  );
  const admin = { hostname: "127.0.0.1", port: 9145 };
  add(
    "admin",
    "--admin <HOST:PORT>",
    "health, metrics and routes",
    parseListenAddress,
    admin,
    "127.0.0.1:9145",
  );
  add("workers", "--workers <N>", "processes that share the ports", whole(1, 256), 1);
  addList(
    command,
    "trustedProxies",
    "--trusted-proxies <CIDR>",
    "peers whose forwarded headers are believed; repeatable",
    cidr,
    [],
    "none",
  );
  add(
    "serverHeader",
    "--server-header <NAME|off>",
    "the Server header where the app sends none",
    serverHeader,
    "uwsgi-gateway",
  );
  command.addOption(
    new Option(
      "--allow-uwsgi-script",
      "let routes set the var UWSGI_SCRIPT, which names code to load",
    ).default(false),
  );
}

function addLogging(add: Add): void {
  add(
    "accessLogShare",
    "--access-log <off|all|FRACTION>",
    "which requests are logged; 0.01: one in a hundred",
    share,
    1,
    "all",
  );
  add(
    "accessLogFormat",
    "--access-log-format <json|combined>",
    "form of the access lines",
    oneOf(ACCESS_LOG_FORMATS),
    "json",
  );
  add("logLevel", "--log-level <LEVEL>", LOG_LEVELS.join(", "), oneOf(LOG_LEVELS), "info");
}

function addLimits(add: Add): void {
  add(
    "maxConnections",
    "--max-connections <N>",
    "client connections per worker",
    whole(1, 1_000_000),
    16_384,
  );
  add(
    "maxRequestsPerConnection",
    "--max-requests-per-connection <N>",
    "then it is closed",
    whole(1, 1_000_000_000),
    1000,
  );
  add("headerTimeoutMs", "--header-timeout <TIME>", "for a whole request head", positiveTime, 60_000, "60s");
  add(
    "bodyTimeoutMs",
    "--body-timeout <TIME>",
    "between two reads of a request body",
    positiveTime,
    60_000,
    "60s",
  );
  add(
    "idleTimeoutMs",
    "--idle-timeout <TIME>",
    "for a connection without a request",
    positiveTime,
    75_000,
    "75s",
  );
  add(
    "sendTimeoutMs",
    "--send-timeout <TIME>",
    "between two writes to a client",
    positiveTime,
    60_000,
    "60s",
  );
  add(
    "drainDelayMs",
    "--drain-delay <TIME>",
    "keep accepting after SIGTERM, not ready",
    parseDurationMs,
    0,
    "0s",
  );
  add("drainTimeoutMs", "--drain-timeout <TIME>", "then let requests finish", parseDurationMs, 30_000, "30s");
  add(
    "bodyMemoryBytes",
    "--body-memory <SIZE>",
    "of a request body, then a temporary file",
    parseSizeBytes,
    65_536,
    "64Ki",
  );
  add(
    "responseMemoryBytes",
    "--response-memory <SIZE>",
    "of a response, then a temporary file",
    parseSizeBytes,
    65_536,
    "64Ki",
  );
  add("tempDir", "--temp-dir <DIR>", "for temporary files", nonEmpty, tmpdir());
}

/** A repeatable option: the first use replaces the default, each further one and each comma adds. */
function addList<T>(
  command: Command,
  key: Key,
  flags: string,
  text: string,
  parse: (value: string) => T,
  fallback: readonly T[],
  shown: string,
): void {
  const option = new Option(flags, text).default(fallback, shown);
  option.argParser((value: string, previous: readonly T[] | undefined) => {
    const added = value.split(",").map((item) => complaining(parse, item.trim()));
    return previous === undefined || previous === fallback ? added : [...previous, ...added];
  });
  addNamed(command, key, option);
}

/** commander adds the option's name to errors with its own code, and to no others. */
function complaining<T>(parse: (value: string) => T, value: string): T {
  try {
    return parse(value);
  } catch (error) {
    throw new CommanderError(2, "commander.invalidArgument", `${(error as Error).message}.`);
  }
}

function whole(min: number, max: number): (text: string) => number {
  return (text) => parseWhole(text, min, max);
}

function oneOf<T extends string>(values: readonly T[]): (text: string) => T {
  return (text) => {
    if (!values.includes(text as T)) throw new RangeError(`expected one of ${values.join(", ")}`);
    return text as T;
  };
}

function positiveTime(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === 0) throw new RangeError("expected more than 0");
  return ms;
}

function nonEmpty(text: string): string {
  if (text === "") throw new RangeError("expected a path");
  return text;
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

function parseBoolean(text: string): boolean {
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  throw new RangeError("expected true or false");
}

const HELP_EPILOGUE = `
TIME is a number with a unit: 500ms, 10s, 1m, 1h. SIZE is bytes, or a number with Ki, Mi or Gi.

Each option is also an environment variable: --drain-delay is UWSGI_GATEWAY_DRAIN_DELAY; repeatable ones take
commas. The command line wins.

Signals: SIGTERM and SIGINT drain and exit 0; a second one exits at once.`;
