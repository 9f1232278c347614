/**
 * The network that pods stand on: a bridge in the root namespace with a private range of its own, which nothing routes to the outside.
 *
 * The bridge is named after its range, so that making it also reserves the range against other test processes. Its alias holds this process's
 * id: what a process left that died without `stopAll` is removed by the next one.
 */
import { spawnSync } from "node:child_process";
import { onStopAll } from "../../harness/cleanup.ts";
import { programPath } from "../../harness/programs.ts";
import { run } from "./command.ts";

const FIRST_SECOND_OCTET = 200;
const SECOND_OCTETS = 50;
const MAX_ATTEMPTS = 20;
const FIRST_POD = 10;
const LAST_POD = 254;
const ALIAS = "uwsgi-gateway test";
const MAX_INTERFACE_NAME = 15;

export interface PodNetwork {
  /** `10.201.7`, the first three numbers of every address on it. */
  readonly prefix: string;
  readonly bridge: string;
  /** The root namespace's own address on it. */
  readonly gateway: string;
  /** An address that no pod had yet. */
  freeAddress(): string;
}

export async function ip(...words: readonly string[]): Promise<string> {
  return run([programPath("ip") ?? "ip", ...words]);
}

let network: Promise<PodNetwork> | undefined;

/** This process's network, made at the first call and removed by `stopAll`, after every process has ended. */
export function podNetwork(): Promise<PodNetwork> {
  network ??= create();
  return network;
}

/** `label` for the range of `prefix`; unique on this machine, and short enough for an interface's name. */
export function interfaceName(prefix: string, label: string): string {
  const name = `ug${prefix.split(".").slice(1).join(".")}${label}`;
  if (name.length > MAX_INTERFACE_NAME) throw new Error(`too long for an interface: ${name}`);
  return name;
}

export function podNamespacePrefix(pid: number): string {
  return `ug-${pid}-`;
}

async function create(): Promise<PodNetwork> {
  await removeLeftovers();
  const taken = await takenAddresses();
  let failure: unknown;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    // Begins at a place that differs from process to process, and goes on from there.
    const place = (process.pid + attempt * 257) % (SECOND_OCTETS * 256);
    const prefix = `10.${FIRST_SECOND_OCTET + Math.floor(place / 256)}.${place % 256}`;
    if (overlaps(prefix, taken)) continue;
    const bridge = interfaceName(prefix, "br");
    try {
      await ip("link", "add", bridge, "type", "bridge");
    } catch (error) {
      failure = error;
      continue;
    }
    onStopAll(() => remove(bridge), { last: true });
    await ip("link", "set", bridge, "alias", `${ALIAS} ${process.pid}`, "up");
    await ip("address", "add", `${prefix}.1/24`, "dev", bridge);
    let next = FIRST_POD;
    return {
      ...{ prefix, bridge, gateway: `${prefix}.1` },
      freeAddress: () => {
        if (next > LAST_POD) throw new Error(`no address is left in ${prefix}.0/24`);
        return `${prefix}.${next++}`;
      },
    };
  }
  throw new Error("no private range is free for the pods", { cause: failure });
}

async function remove(bridge: string): Promise<void> {
  network = undefined;
  await ip("link", "delete", bridge);
}

interface Link {
  readonly ifname: string;
  readonly ifalias?: string;
}

/** What test processes left that are no more. */
export async function removeLeftovers(): Promise<void> {
  const links = JSON.parse(await ip("-json", "link", "show", "type", "bridge")) as Link[];
  for (const { ifname, ifalias } of links) {
    const owner = Number(new RegExp(`^${ALIAS} (\\d+)$`).exec(ifalias ?? "")?.[1]);
    if (!(owner > 0) || isAlive(owner)) continue;
    for (const namespace of await podNamespaces(owner)) await ip("netns", "delete", namespace);
    await ip("link", "delete", ifname);
  }
}

/** The names of the network namespaces of one test process's pods. */
export async function podNamespaces(pid = process.pid): Promise<string[]> {
  const text = await ip("-json", "netns", "list");
  const all = (text.trim() === "" ? [] : JSON.parse(text)) as { name: string }[];
  return all.map(({ name }) => name).filter((name) => name.startsWith(podNamespacePrefix(pid)));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Ranges that this machine has addresses in or routes to, apart from default routes (some VPNs have two halves of one). */
async function takenAddresses(): Promise<string[]> {
  const routes = JSON.parse(await ip("-json", "-4", "route", "show", "table", "all")) as { dst: string }[];
  return routes.map(({ dst }) => dst).filter((dst) => dst !== "default" && !/\/[0-7]$/.test(dst));
}

/** Whether the `/24` of `prefix` touches one of `ranges` (`10.0.0.0/8`, no shorter; or one address). */
export function overlaps(prefix: string, ranges: readonly string[]): boolean {
  const own = toNumber(`${prefix}.0`);
  return ranges.some((range) => {
    const [address, length = "32"] = range.split("/");
    const shift = 32 - Math.min(24, Number(length));
    return own >>> shift === toNumber(address!) >>> shift;
  });
}

function toNumber(address: string): number {
  // `ip` shortens the ends of some ranges: `10/8` is `10.0.0.0/8`.
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

let obstacle: { readonly reason: string | undefined } | undefined;

/** Why there can be no pods on this machine; `undefined` where there can. Tried once, by making a namespace and a bridge. */
export function podObstacle(): string | undefined {
  obstacle ??= { reason: findObstacle() };
  return obstacle.reason;
}

function findObstacle(): string | undefined {
  if (process.getuid?.() !== 0) return "pods are network namespaces, which only root can make";
  const program = programPath("ip");
  if (program === undefined) return "ip not installed (make setup)";
  const name = `ug-probe-${process.pid}`;
  const probe = interfaceName(`10.0.${process.pid}`, "p");
  const tryOut = (...words: string[]) => spawnSync(program, words, { encoding: "utf8" });
  const steps = [
    tryOut("netns", "add", name),
    tryOut("link", "add", probe, "type", "bridge"),
    tryOut("-n", name, "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"),
  ];
  tryOut("link", "delete", probe);
  tryOut("netns", "delete", name);
  const failed = steps.find((step) => step.status !== 0);
  return failed && `no network namespace, bridge or veth pair can be made here: ${failed.stderr.trim()}`;
}
