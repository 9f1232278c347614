import { z } from "zod";
import { DURATION_PATTERN, durationMs, MAX_DURATION_MS } from "./duration.ts";
import type { Problem } from "./problem.ts";
import { QUANTITY_PATTERN, quantityBytes } from "./quantity.ts";

/** How requests are sent on, as a rule of a UwsgiRoute or the annotations of an Ingress say it, defaults filled in. */
export interface Forwarding {
  readonly params: readonly Param[];
  readonly modifier1: number;
  readonly modifier2: number;
  readonly scriptName: string;
  readonly documentRoot: string;
  readonly mergeSlashes: boolean;
  readonly bufferSizeBytes: number;
  /** As uWSGI's `--max-vars` counts. */
  readonly maxVars: number;
  readonly requestBuffering: boolean;
  readonly responseBuffering: boolean;
  readonly maxBodyBytes: number;
  readonly connectTimeoutMs: number;
  readonly sendTimeoutMs: number;
  readonly readTimeoutMs: number;
  /** The first one included. */
  readonly maxTries: number;
  readonly retryWithinMs: number;
  readonly retryStatuses: readonly number[];
  readonly retryNonIdempotent: boolean;
  readonly maxFails: number;
  readonly failTimeoutMs: number;
  readonly loadBalancing: "RoundRobin" | "LeastOutstanding";
  readonly ignoreClientAbort: boolean;
}

/** A uwsgi variable of the user's. `value` is a template; who reads it checks its variables. */
export interface Param {
  readonly name: string;
  readonly value: string;
  readonly ifNotEmpty: boolean;
}

/** The defaults of NGINX and uWSGI, where they have one. */
export const DEFAULT_FORWARDING: Forwarding = {
  params: [],
  modifier1: 0,
  modifier2: 0,
  scriptName: "",
  documentRoot: "",
  mergeSlashes: true,
  bufferSizeBytes: 4096,
  maxVars: 64,
  requestBuffering: true,
  responseBuffering: true,
  maxBodyBytes: 1024 * 1024,
  connectTimeoutMs: 60_000,
  sendTimeoutMs: 60_000,
  readTimeoutMs: 60_000,
  maxTries: 3,
  retryWithinMs: 0,
  retryStatuses: [],
  retryNonIdempotent: false,
  maxFails: 1,
  failTimeoutMs: 10_000,
  loadBalancing: "RoundRobin",
  ignoreClientAbort: false,
};

export const DURATION_MESSAGE = 'must be a duration such as "30s", "1m30s" or "500ms"';
export const DURATION_ZERO_MESSAGE = "must be longer than 0: no timeout can be turned off";
export const DURATION_LONG_MESSAGE = "must be at most 24h";
export const TEXT_MESSAGE = "must not contain NUL, CR or LF";
export const SCRIPT_NAME_PATTERN = /^(\/[^/]+)+$/;
export const SCRIPT_NAME_MESSAGE = 'must begin with "/" and not end with one, such as "/main"';
export const SIZE_MESSAGE = 'must be a size such as "1Mi", "10M" or 4096; 0 is no limit';
/** More than uWSGI's own `--max-vars` takes by default. */
const MAX_PARAMS = 256;
/** Four parts of five digits and a unit. */
const MAX_DURATION_CHARACTERS = 28;
const MAX_SIZE_CHARACTERS = 32;

const duration = z
  .string(DURATION_MESSAGE)
  .max(MAX_DURATION_CHARACTERS)
  .regex(DURATION_PATTERN, DURATION_MESSAGE);
const byte = z.int().min(0).max(255);
const RETRY_STATUSES = [403, 404, 429, 500, 502, 503, 504] as const;
const TEXT_PATTERN = /^[^\0\r\n]*$/;
const paramValue = z
  .string("must be a string: put quotes around it")
  .max(8192)
  .regex(TEXT_PATTERN, TEXT_MESSAGE);
const param = z.union(
  [
    paramValue,
    z.strictObject({
      value: paramValue.describe("The variable's value; may hold $variables."),
      ifNotEmpty: z.boolean().describe("Leave the variable out where its value comes to nothing.").optional(),
    }),
  ],
  "must be a string (put quotes around a number), or a mapping of value and ifNotEmpty",
);

/** The structure alone, representable as OpenAPI; `parseForwarding` checks what a structure cannot say. */
export const forwardingShape = {
  uwsgi: z
    .strictObject({
      params: z
        .record(z.string(), param.describe("A string, or a mapping of value and ifNotEmpty."))
        .meta({
          description: "More uwsgi variables, by name. Values may hold $variables.",
          maxProperties: MAX_PARAMS,
        })
        .optional(),
      modifier1: byte.describe("The packet's modifier1: the uWSGI plugin that answers.").optional(),
      modifier2: byte.describe("The packet's modifier2.").optional(),
      scriptName: z.string().max(1024).describe("SCRIPT_NAME, taken off the front of PATH_INFO.").optional(),
      documentRoot: z.string().max(4096).describe("DOCUMENT_ROOT. Default empty.").optional(),
      mergeSlashes: z.boolean().describe("Merge slashes in PATH_INFO. Default true.").optional(),
      bufferSize: z.int().min(1).max(65535).describe("uWSGI's --buffer-size. Default 4096.").optional(),
      maxVars: z.int().min(1).max(65535).describe("uWSGI's --max-vars. Default 64.").optional(),
    })
    .describe("The packet that the app gets.")
    .optional(),
  request: z
    .strictObject({
      buffering: z
        .boolean()
        .describe("Read the whole body before the app is contacted. Default true.")
        .optional(),
      maxBodySize: z
        .union([z.int().min(0), z.string().max(MAX_SIZE_CHARACTERS).regex(QUANTITY_PATTERN)], SIZE_MESSAGE)
        .describe("Larger bodies get 413. Default 1Mi, 0 for no limit.")
        .optional(),
    })
    .describe("How a request's body is taken.")
    .optional(),
  response: z
    .strictObject({
      buffering: z.boolean().describe("Free the worker from slow clients. Default true.").optional(),
    })
    .describe("How the response is taken.")
    .optional(),
  timeouts: z
    .strictObject({
      connect: duration.describe("To connect to an endpoint. Default 60s.").optional(),
      send: duration.describe("Between two writes of the request. Default 60s.").optional(),
      read: duration.describe("Between two reads of the response. Default 60s.").optional(),
    })
    .describe("How long to wait; when it is over the client gets 504, or another endpoint is tried.")
    .optional(),
  retries: z
    .strictObject({
      attempts: z
        .int()
        .min(0)
        .max(10)
        .describe("Retries after the first try. Default 2; 0 turns them off.")
        .optional(),
      within: duration.describe("No retry is begun after this time. Default 0s, no bound.").optional(),
      statuses: z
        .array(z.literal([...RETRY_STATUSES]))
        .max(RETRY_STATUSES.length)
        .describe("Statuses that send a request on to the next endpoint. Default none.")
        .optional(),
      nonIdempotent: z.boolean().describe("Retry POST and PATCH after bytes were sent, too.").optional(),
    })
    .describe("When a request is sent to another endpoint.")
    .optional(),
  health: z
    .strictObject({
      maxFails: z
        .int()
        .min(0)
        .max(1000)
        .describe("Failures that take an endpoint out. Default 1, 0 never.")
        .optional(),
      failTimeout: duration.describe("For how long, and counted over how long. Default 10s.").optional(),
    })
    .describe("When failures take an endpoint out.")
    .optional(),
  loadBalancing: z
    .enum(["RoundRobin", "LeastOutstanding"])
    .describe("How an endpoint is picked. Default RoundRobin.")
    .optional(),
  ignoreClientAbort: z.boolean().describe("Let the app finish when the client has gone.").optional(),
};

export const forwardingSchema = z.strictObject(forwardingShape);
export type RawForwarding = z.infer<typeof forwardingSchema>;
export const FORWARDING_FIELDS = Object.keys(forwardingShape) as readonly (keyof RawForwarding)[];

/** Checks what the structure cannot say and fills the defaults in. `field` is the path of the mapping that holds it all. */
export function parseForwarding(raw: RawForwarding, field: string, problems: Problem[]): Forwarding {
  if (FORWARDING_FIELDS.every((name) => raw[name] === undefined)) return DEFAULT_FORWARDING;
  const { uwsgi = {}, request = {}, timeouts = {}, retries = {}, health = {} } = raw;
  const base = DEFAULT_FORWARDING;
  const at = (name: string) => (field === "" ? name : `${field}.${name}`);
  const time = (text: string | undefined, name: string, defaultMs: number, minMs = 1) =>
    text === undefined ? defaultMs : parseDuration(text, at(name), minMs, problems);
  return {
    params:
      uwsgi.params === undefined ? base.params : parseParams(uwsgi.params, at("uwsgi.params"), problems),
    modifier1: uwsgi.modifier1 ?? base.modifier1,
    modifier2: uwsgi.modifier2 ?? base.modifier2,
    scriptName: parseScriptName(uwsgi.scriptName, at("uwsgi.scriptName"), problems),
    documentRoot: checkText(uwsgi.documentRoot ?? base.documentRoot, at("uwsgi.documentRoot"), problems),
    mergeSlashes: uwsgi.mergeSlashes ?? base.mergeSlashes,
    bufferSizeBytes: uwsgi.bufferSize ?? base.bufferSizeBytes,
    maxVars: uwsgi.maxVars ?? base.maxVars,
    requestBuffering: request.buffering ?? base.requestBuffering,
    responseBuffering: raw.response?.buffering ?? base.responseBuffering,
    maxBodyBytes: parseSize(request.maxBodySize, at("request.maxBodySize"), problems),
    connectTimeoutMs: time(timeouts.connect, "timeouts.connect", base.connectTimeoutMs),
    sendTimeoutMs: time(timeouts.send, "timeouts.send", base.sendTimeoutMs),
    readTimeoutMs: time(timeouts.read, "timeouts.read", base.readTimeoutMs),
    maxTries: retries.attempts === undefined ? base.maxTries : retries.attempts + 1,
    retryWithinMs: time(retries.within, "retries.within", base.retryWithinMs, 0),
    retryStatuses: retries.statuses === undefined ? [] : [...new Set<number>(retries.statuses)].sort(),
    retryNonIdempotent: retries.nonIdempotent ?? base.retryNonIdempotent,
    maxFails: health.maxFails ?? base.maxFails,
    failTimeoutMs: time(health.failTimeout, "health.failTimeout", base.failTimeoutMs),
    loadBalancing: raw.loadBalancing ?? base.loadBalancing,
    ignoreClientAbort: raw.ignoreClientAbort ?? base.ignoreClientAbort,
  };
}

function parseDuration(text: string, field: string, minMs: number, problems: Problem[]): number {
  const ms = durationMs(text) ?? Number.NaN;
  if (ms < minMs) problems.push({ field, message: DURATION_ZERO_MESSAGE });
  if (ms > MAX_DURATION_MS) problems.push({ field, message: DURATION_LONG_MESSAGE });
  return ms;
}

function parseSize(size: string | number | undefined, field: string, problems: Problem[]): number {
  if (size === undefined) return DEFAULT_FORWARDING.maxBodyBytes;
  const parsed = quantityBytes(size);
  if ("bytes" in parsed) return parsed.bytes;
  problems.push({ field, message: parsed.message });
  return 0;
}

function parseScriptName(name: string | undefined, field: string, problems: Problem[]): string {
  if (name === undefined || name === "") return "";
  if (!SCRIPT_NAME_PATTERN.test(name)) problems.push({ field, message: SCRIPT_NAME_MESSAGE });
  return checkText(name, field, problems);
}

type RawParams = NonNullable<NonNullable<RawForwarding["uwsgi"]>["params"]>;

function parseParams(raw: RawParams, field: string, problems: Problem[]): readonly Param[] {
  if (Object.keys(raw).length > MAX_PARAMS) {
    problems.push({ field, message: `must have at most ${MAX_PARAMS} entries` });
  }
  return Object.entries(raw).map(([name, given]) => {
    const { value, ifNotEmpty = false } = typeof given === "string" ? { value: given } : given;
    checkParamName(name, `${field}.${name}`, problems);
    return { name, value: checkText(value, `${field}.${name}`, problems), ifNotEmpty };
  });
}

/** Hyphens are allowed: NGINX sends `uwsgi_param X-Real-IP …` under that very name. */
function checkParamName(name: string, field: string, problems: Problem[]): void {
  if (!/^[A-Za-z_][A-Za-z0-9_-]{0,255}$/.test(name)) {
    const message =
      'must have a name of letters, digits, "_" and "-" that does not begin with a digit or "-"';
    problems.push({ field, message });
  }
  if (name === "CONTENT_LENGTH") {
    problems.push({ field, message: "is set by the gateway from the body that it sends: remove it" });
  }
}

function checkText(value: string, field: string, problems: Problem[]): string {
  if (/[\0\r\n]/.test(value)) problems.push({ field, message: TEXT_MESSAGE });
  return value;
}
