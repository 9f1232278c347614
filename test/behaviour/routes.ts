/** Routes for the suite: as manifests, and added to a gateway that runs. */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Gateway, waitUntil } from "../harness/index.ts";

/** One element of `spec.rules`, as `docs/configuration.md` tells it. */
export type Rule = Readonly<Record<string, unknown>>;

/** A UwsgiRoute called `host`, as a manifest file's text; for that host unless other names are given. */
export function routeManifest(
  host: string,
  rules: readonly Rule[],
  hostnames: readonly string[] = [host],
): string {
  return JSON.stringify({
    apiVersion: "uwsgi-gateway.io/v1alpha1",
    kind: "UwsgiRoute",
    metadata: { name: host },
    spec: hostnames.length === 0 ? { rules } : { hostnames, rules },
  });
}

/** A rule that sends everything, or what is under `path`, to these sockets. */
export function forwardTo(addresses: string | readonly string[], options: Rule = {}, path = "/"): Rule {
  const list = typeof addresses === "string" ? [addresses] : addresses;
  return {
    matches: [{ path: { type: "PathPrefix", value: path } }],
    backendRefs: list.map((socket) => ({ socket })),
    ...options,
  };
}

/** Puts a file of its own for `host` into the gateway's folder, and waits until it is in force. */
export async function addRoute(gateway: Gateway, host: string, rules: readonly Rule[]): Promise<void> {
  const before = await tableVersion(gateway);
  const path = join(gateway.manifestsFolder, `${host}.json`);
  writeFileSync(`${path}.new`, routeManifest(host, rules));
  renameSync(`${path}.new`, path);
  const changed = async () => ((await tableVersion(gateway)) === before ? undefined : true);
  await waitUntil(changed, gateway.process, `table with ${host}`, 5_000);
}

export interface RoutesPage {
  readonly version: string;
  readonly problems: readonly Readonly<Record<string, unknown>>[];
  readonly upstreams: readonly {
    readonly endpoints: readonly {
      readonly address: string;
      readonly requests: number;
      readonly failures: number;
      readonly ejections: number;
      readonly inFlight: number;
      readonly ejected: number;
    }[];
  }[];
}

export async function routesPage(gateway: Gateway): Promise<RoutesPage> {
  return (await (await fetch(`${gateway.adminUrl}/routes`)).json()) as RoutesPage;
}

export async function endpointState(gateway: Gateway, address: string) {
  const { upstreams } = await routesPage(gateway);
  const found = upstreams.flatMap(({ endpoints }) => endpoints).find((each) => each.address === address);
  if (found === undefined) throw new Error(`no endpoint ${address} in /routes`);
  return found;
}

async function tableVersion(gateway: Gateway): Promise<string> {
  return (await routesPage(gateway)).version;
}

/** The sum of the series of `name` (without the prefix `uwsgi_gateway_`) whose labels hold `labels`. */
export async function metric(gateway: Gateway, name: string, labels = ""): Promise<number> {
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const full = name.startsWith("process_") ? name : `uwsgi_gateway_${name}`;
  let sum = 0;
  for (const line of text.split("\n")) {
    if (!line.startsWith(`${full}{`) && !line.startsWith(`${full} `)) continue;
    if (line.includes(labels)) sum += Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}

export interface AccessLine extends Readonly<Record<string, unknown>> {
  readonly host: string;
  readonly target: string;
  readonly status: number;
  readonly totalMs: number;
  readonly endpoint?: string;
  readonly retries?: number;
  readonly error?: string;
}

/** The access line of the request for `target`, once it is written. */
export async function accessLine(gateway: Gateway, target: string): Promise<AccessLine> {
  const wanted = `"target":${JSON.stringify(target)}`;
  const line = await waitUntil(
    () => gateway.lines.find((each) => each.includes(wanted)),
    gateway.process,
    `access line of ${target}`,
    5_000,
  );
  return JSON.parse(line) as AccessLine;
}
