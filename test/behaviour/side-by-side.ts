/**
 * The same bytes through NGINX and through the gateway, to the same app: what the app saw and what the client got.
 *
 * A case says `same`, or names the rule by which the gateway differs (`rules.ts`) and then what each of the two does. What is
 * the same is compared whole, not just as far as the case spells it out. Left out of the comparison are only: ports, Date, the name in Server,
 * the order of fields with different names, `Connection: keep-alive`, the text of the servers' own error pages, and the vars in `ALWAYS_OURS`,
 * which have cases of their own.
 */

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type DumpedRequest,
  type Exchange,
  type ExchangeOptions,
  type Gateway,
  type HttpMessage,
  type Nginx,
  rawExchange,
  type Step,
  startGateway,
  startNginx,
  startScriptedUpstream,
  startUwsgi,
  temporaryFolder,
} from "../harness/index.ts";
import { type Rule as RouteRule, routeManifest } from "./routes.ts";
import type { RuleId } from "./rules.ts";

export const HOST = "site.test";

/** A request for `HOST` without a body; fields are whole lines. */
export function get(target: string, ...fields: readonly string[]): string {
  return request("GET", target, fields);
}

/** A request for `HOST`; with a body, Content-Length is said too. */
export function request(
  method: string,
  target: string,
  fields: readonly string[] = [],
  body?: string,
): string {
  const length = body === undefined ? [] : [`Content-Length: ${body.length}`];
  return [`${method} ${target} HTTP/1.1`, `Host: ${HOST}`, ...fields, ...length, "", body ?? ""].join("\r\n");
}

/** One response, as far as it may be compared. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** Sorted by name; several of one name in their order. */
  readonly fields: readonly string[];
  readonly framing: HttpMessage["framing"];
  readonly body: string;
  readonly complete: boolean;
  /** An error page of the server's own: its text and type are not compared. */
  readonly own: boolean;
}

export interface Seen {
  readonly answers: readonly Answer[];
  /** Statuses of the interim responses. */
  readonly interim: readonly number[];
  /** Whether the connection was ended by the server. */
  readonly ending: "closed" | "open" | "timeout";
  /** The requests that reached the app, ports replaced by words. */
  readonly app: readonly DumpedRequest[];
}

/** What a case spells out; the rest is up to the comparison. */
export interface Expected {
  /** Of the first response; `undefined` for a connection that is closed without one. */
  readonly status?: number | undefined;
  /** Of all responses. */
  readonly statuses?: readonly number[];
  readonly reason?: string;
  /** Response fields; several of a name as a list, `undefined` for absent. */
  readonly fields?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: string | RegExp;
  readonly framing?: HttpMessage["framing"];
  readonly complete?: boolean;
  readonly interim?: readonly number[];
  readonly ending?: "closed" | "open";
  /** Vars of the first request that reached the app, `undefined` for absent; or how many requests reached it. */
  readonly app?: Readonly<Record<string, string | undefined>> | number;
  readonly appBody?: { readonly length: number; readonly sha256?: string };
  readonly urlScheme?: string;
}

interface Sent {
  readonly name: string;
  readonly send: Step | readonly Step[];
  /** Where the upstream is scripted: what it answers with. */
  readonly reply?: string;
  readonly until?: ExchangeOptions["until"];
  readonly methods?: readonly string[];
  readonly lingerMs?: number;
}

export type Case = Sent &
  (
    | { readonly same: Expected }
    | { readonly differs: RuleId; readonly nginx: Expected; readonly gateway: Expected }
  );

export interface Pair {
  readonly nginx: Nginx;
  readonly gateway: Gateway;
  readonly apps: { readonly nginx: App; readonly gateway: App };
}

/** Each of the two has an app of its own, so that both may be asked at once. */
export interface App {
  readonly address: string;
  /** What reached the app since it was asked last. */
  takeSeen(): DumpedRequest[];
  /** What a scripted upstream says next. */
  setReply(reply: string): void;
}

export interface PairOptions {
  /** What stands in NGINX's `location /` besides `include uwsgi_params` and `uwsgi_pass`. */
  readonly location?: string;
  /** Further parts of NGINX's server block; `UPSTREAM` stands for the app's address. */
  readonly server?: string;
  /** What goes into the gateway's rule for `/`. */
  readonly rule?: RouteRule;
  /** Further rules of the gateway; `UPSTREAM` stands for the app's address. */
  readonly rules?: readonly RouteRule[];
  /** Hostnames of both; the first is the server's name. */
  readonly hostnames?: readonly string[];
  readonly uwsgiOptions?: readonly string[];
  readonly gatewayArgs?: readonly string[];
  /** A scripted upstream in place of the app. */
  readonly scripted?: boolean;
}

export async function startPair(options: PairOptions = {}): Promise<Pair> {
  const startApp = () => (options.scripted === true ? scriptedApp() : realApp(options.uwsgiOptions ?? []));
  const [nginxApp, gatewayApp] = await Promise.all([startApp(), startApp()]);
  const hostnames = options.hostnames ?? [HOST];
  const last: RouteRule = { backendRefs: [{ socket: "UPSTREAM" }], ...options.rule };
  const rules = [...(options.rules ?? []), last].map(withDocumentRoot);
  const manifest = routeManifest(HOST, rules, hostnames).replaceAll("UPSTREAM", gatewayApp.address);
  const [nginx, gateway] = await Promise.all([
    startNginx({
      serverName: hostnames.join(" ") || '""',
      server: `
        root ${DOCUMENT_ROOT};
        ${options.server ?? ""}
        location / { include uwsgi_params; ${options.location ?? ""} uwsgi_pass UPSTREAM; }
      `.replaceAll("UPSTREAM", nginxApp.address),
    }),
    startGateway({ manifests: { "site.json": manifest }, args: options.gatewayArgs ?? [] }),
  ]);
  return { nginx, gateway, apps: { nginx: nginxApp, gateway: gatewayApp } };
}

/** NGINX has one built in where none is configured. */
const DOCUMENT_ROOT = "/srv/www";

function withDocumentRoot(rule: RouteRule): RouteRule {
  if (rule["backendRefs"] === undefined) return rule;
  return { ...rule, uwsgi: { documentRoot: DOCUMENT_ROOT, ...(rule["uwsgi"] as object | undefined) } };
}

async function realApp(options: readonly string[]): Promise<App> {
  const file = join(temporaryFolder("seen"), "seen.jsonl");
  writeFileSync(file, "");
  const app = join(import.meta.dirname, "app.py");
  const uwsgi = await startUwsgi({ app, processes: 2, options, env: { SEEN: file } });
  let taken = 0;
  const takeSeen = () => {
    const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
    const news = lines.slice(taken);
    taken = lines.length;
    return news.map((line) => JSON.parse(line) as DumpedRequest);
  };
  const setReply = () => {
    throw new Error("a real app answers as its path says");
  };
  return { address: uwsgi.address, takeSeen, setReply };
}

async function scriptedApp(): Promise<App> {
  let reply = "";
  const upstream = await startScriptedUpstream({
    script: async (connection) => {
      const packet = await connection.readPacket();
      await connection.readBytes(Number(packet.get("CONTENT_LENGTH") || 0));
      await connection.send(reply);
      connection.end();
    },
  });
  let taken = 0;
  const takeSeen = () => {
    const news = upstream.packets.slice(taken);
    taken = upstream.packets.length;
    return news.map(({ pairs }) => ({
      vars: Object.fromEntries(pairs),
      urlScheme: "",
      bodyLength: 0,
      bodySha256: "",
    }));
  };
  return { address: upstream.address, takeSeen, setReply: (text: string) => void (reply = text) };
}

/** Sends a case through one of the two. */
export async function see(pair: Pair, which: "nginx" | "gateway", sent: Sent): Promise<Seen> {
  const { port } = pair[which];
  const app = pair.apps[which];
  if (sent.reply !== undefined) app.setReply(sent.reply);
  app.takeSeen();
  const exchange = await rawExchange(port, sent.send, {
    timeoutMs: 2_300,
    ...(sent.lingerMs === undefined ? {} : { lingerMs: sent.lingerMs }),
    ...(sent.until === undefined ? {} : { until: sent.until }),
    ...(sent.methods === undefined ? {} : { methods: sent.methods }),
  });
  return {
    answers: exchange.responses.map((message) => readAnswer(message, which)),
    interim: exchange.messages.map(({ status }) => status).filter((status) => status < 200 && status !== 101),
    ending: endingOf(exchange),
    app: app.takeSeen().map((request) => ({ ...request, vars: withoutPorts(request.vars, port) })),
  };
}

/** A reset or a FIN: which of them comes is a matter of what lay unread. That a body was cut short is told apart by `complete`. */
function endingOf({ ending }: Exchange): Seen["ending"] {
  return ending === "reset" ? "closed" : ending;
}

function readAnswer(message: HttpMessage, which: "nginx" | "gateway"): Answer {
  const own = which === "nginx" ? isNginxPage(message) : isGatewayPage(message);
  const { status, reason, framing, complete } = message;
  const fields = message.headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name, value]) => !isNoise(name, value, own, status))
    .map(([name, value]) => `${name}: ${value}`)
    .sort(byName);
  return {
    status,
    // The reasons of own pages are the RFC's here, and NGINX's there.
    reason: own ? "" : reason,
    fields,
    framing: own ? "length" : framing,
    body: own ? "" : message.text,
    // Only the end of the connection tells, which `ending` does.
    complete: framing === "close" || complete,
    own,
  };
}

function isNginxPage({ status, text }: HttpMessage): boolean {
  return status >= 300 && text.includes("<hr><center>nginx");
}

function isGatewayPage({ status, text }: HttpMessage): boolean {
  return status >= 300 && text.startsWith(`${status} `) && text.endsWith("\n");
}

function isNoise(name: string, value: string, own: boolean, status: number): boolean {
  if (name === "connection") return value.toLowerCase() === "keep-alive";
  if (name === "server") return /^(nginx|uwsgi-gateway)(\/|$)/.test(value);
  if (name === "date") return !value.endsWith("1970 00:00:00 GMT");
  if (!own) return false;
  return name === "content-type" || name === "content-length" || (name === "allow" && status === 405);
}

function byName(a: string, b: string): number {
  const [left, right] = [a.slice(0, a.indexOf(":")), b.slice(0, b.indexOf(":"))];
  return left < right ? -1 : left > right ? 1 : 0;
}

function withoutPorts(vars: DumpedRequest["vars"], port: number): DumpedRequest["vars"] {
  const named = { ...vars };
  if (/^\d+$/.test(vars["REMOTE_PORT"] ?? "")) named["REMOTE_PORT"] = "client's";
  if (vars["SERVER_PORT"] === String(port)) named["SERVER_PORT"] = "listener's";
  if (vars["HTTP_X_FORWARDED_PORT"] === String(port)) named["HTTP_X_FORWARDED_PORT"] = "listener's";
  return named;
}

/** Set by the gateway, and left as they come by NGINX: `forwarded-set` and `hop-by-hop` are about these. */
const ALWAYS_OURS =
  /^(HTTP_(X_FORWARDED_(FOR|PROTO|HOST|PORT|SSL)|FORWARDED|X_REAL_IP|CONNECTION)|X-Forwarded-Proto)$/;

function comparable(seen: Seen): Seen {
  const app = seen.app.map((request) => {
    const vars = Object.entries(request.vars).filter(([name]) => !ALWAYS_OURS.test(name));
    return { ...request, vars: Object.fromEntries(vars.sort(([a], [b]) => (a < b ? -1 : 1))) };
  });
  return { ...seen, app };
}

/** What `seen` has where `expected` says something. */
function project(seen: Seen, expected: Expected): unknown {
  const [answer] = seen.answers;
  const vars = seen.app[0]?.vars;
  const projected: Record<string, unknown> = {};
  if ("status" in expected) projected["status"] = answer?.status;
  if (expected.statuses !== undefined) projected["statuses"] = seen.answers.map(({ status }) => status);
  if (expected.reason !== undefined) projected["reason"] = answer?.reason;
  if (expected.fields !== undefined)
    projected["fields"] = pick(expected.fields, (name) => fieldOf(answer, name));
  if (expected.body !== undefined)
    projected["body"] = matches(answer?.body, expected.body) ? expected.body : answer?.body;
  if (expected.framing !== undefined) projected["framing"] = answer?.framing;
  if (expected.complete !== undefined) projected["complete"] = answer?.complete;
  if (expected.interim !== undefined) projected["interim"] = seen.interim;
  if (expected.ending !== undefined) projected["ending"] = seen.ending;
  if (typeof expected.app === "number") projected["app"] = seen.app.length;
  else if (expected.app !== undefined) projected["app"] = pick(expected.app, (name) => vars?.[name]);
  if (expected.appBody !== undefined) {
    const { bodyLength, bodySha256 } = seen.app[0] ?? { bodyLength: -1, bodySha256: "" };
    projected["appBody"] =
      expected.appBody.sha256 === undefined
        ? { length: bodyLength }
        : { length: bodyLength, sha256: bodySha256 };
  }
  if (expected.urlScheme !== undefined) projected["urlScheme"] = seen.app[0]?.urlScheme;
  return projected;
}

function pick<T>(
  wanted: Readonly<Record<string, T>>,
  find: (name: string) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(Object.keys(wanted).map((name) => [name, find(name)]));
}

function fieldOf(answer: Answer | undefined, name: string): string | readonly string[] | undefined {
  const start = `${name.toLowerCase()}: `;
  const found = (answer?.fields ?? [])
    .filter((line) => line.startsWith(start))
    .map((line) => line.slice(start.length));
  return found.length > 1 ? found : found[0];
}

function matches(text: string | undefined, wanted: string | RegExp): boolean {
  return typeof wanted === "string" ? text === wanted : wanted.test(text ?? "");
}

/** A test for each case. */
export function runCases(pair: () => Pair, cases: readonly Case[]): void {
  const seeBoth = (sent: Sent) => Promise.all([see(pair(), "nginx", sent), see(pair(), "gateway", sent)]);
  for (const each of cases) {
    if ("same" in each) {
      test(`${each.name} — same`, async () => {
        const [nginx, gateway] = await seeBoth(each);
        expect({ nginx: project(nginx, each.same) }).toEqual({ nginx: each.same });
        expect({ gateway: project(gateway, each.same) }).toEqual({ gateway: each.same });
        expect(comparable(gateway)).toEqual(comparable(nginx));
      });
    } else {
      test(`${each.name} — differs: ${each.differs}`, async () => {
        const [nginx, gateway] = await seeBoth(each);
        expect({ nginx: project(nginx, each.nginx) }).toEqual({ nginx: each.nginx });
        expect({ gateway: project(gateway, each.gateway) }).toEqual({ gateway: each.gateway });
        expect(gateway).not.toEqual(nginx);
        expect(unmentionedVars(gateway, each)).toEqual(unmentionedVars(nginx, each));
      });
    }
  }
}

/** Where a case names the vars that differ, the others are the same. */
function unmentionedVars(seen: Seen, { nginx, gateway }: { nginx: Expected; gateway: Expected }): unknown {
  if (typeof nginx.app !== "object" || typeof gateway.app !== "object") return undefined;
  const named = new Set([...Object.keys(nginx.app), ...Object.keys(gateway.app)]);
  return comparable(seen).app.map(({ vars }) =>
    Object.fromEntries(Object.entries(vars).filter(([name]) => !named.has(name))),
  );
}
