/** The controller's options. */

import { isIP } from "node:net";
import {
  type Environment,
  nonEmpty,
  OptionsCommand,
  OptionsError,
  oneOf,
  type Parsed,
  whole,
} from "./command.ts";
import { type FeedAddress, type FeedTls, feedTls, parseFeedAddress } from "./feed-address.ts";
import { LOG_LEVELS, type LogLevel } from "./log.ts";
import { type ListenAddress, parseListenAddress } from "./quantity.ts";

export interface ControllerOptions {
  /** Absent: what kubectl would use, or the pod's service account. */
  readonly kubeconfig?: string;
  readonly feed: readonly FeedAddress[];
  readonly tls?: FeedTls;
  readonly admin: ListenAddress;
  /** Empty: all of them. */
  readonly namespaces: readonly string[];
  /** A label selector; only objects of namespaces that it selects are read. */
  readonly namespaceSelector?: string;
  /** IngressClasses with this `spec.controller` are ours. */
  readonly controllerName: string;
  /** `namespace/name` of the Service whose address goes to the Ingresses' status. */
  readonly publishService?: ServiceName;
  /** Addresses that go there instead. */
  readonly publishAddresses: readonly string[];
  readonly leaseNamespace: string;
  readonly leaseName: string;
  /** Write conditions, events and addresses at all. */
  readonly status: boolean;
  /** Our zone, for topology hints; absent: hints are not looked at. */
  readonly zone?: string;
  /** Of Secrets that routes name, at most so many are read. */
  readonly maxSecrets: number;
  readonly allowUwsgiScript: boolean;
  readonly logLevel: LogLevel;
}

export interface ServiceName {
  readonly namespace: string;
  readonly name: string;
}

interface RawOptions extends Omit<ControllerOptions, "tls" | "status"> {
  readonly feedTlsCert?: string;
  readonly feedTlsKey?: string;
  readonly feedTlsCa?: string;
  readonly withoutStatus: boolean;
}

/** Reads `argv` (without the runtime and the script) and the environment. Throws `OptionsError`. */
export function parseControllerOptions(
  argv: readonly string[],
  env: Environment,
  version: string,
): Parsed<ControllerOptions> {
  const command = new OptionsCommand<RawOptions>({
    name: "uwsgi-gateway-controller",
    description: "Turns Ingress and UwsgiRoute objects of a Kubernetes API server into what proxies serve.",
    version,
    epilogue: HELP_EPILOGUE,
  });
  addFeed(command);
  addCluster(command);
  addStatus(command, env);
  const parsed = command.parse(argv, env);
  if (parsed.type === "print") return parsed;
  const { feedTlsCert, feedTlsKey, feedTlsCa, withoutStatus, ...rest } = parsed.options;
  if (rest.publishService !== undefined && rest.publishAddresses.length > 0) {
    throw new OptionsError("error: options '--publish-service' and '--publish-address' exclude each other");
  }
  return { type: "run", options: { ...rest, status: !withoutStatus, ...withTls(parsed.options) } };
}

function withTls(raw: RawOptions): { tls?: FeedTls } {
  try {
    const tls = feedTls(raw.feed, raw);
    return tls === undefined ? {} : { tls };
  } catch (error) {
    throw new OptionsError(`error: option '--feed' is incomplete: ${(error as Error).message}`);
  }
}

type ControllerCommand = OptionsCommand<RawOptions>;

function addFeed(command: ControllerCommand): void {
  command.addList(
    "feed",
    "--feed <ADDRESS>",
    "give tables to proxies at unix:/path or, with certificates, HOST:PORT; repeatable",
    parseFeedAddress,
    [{ type: "unix", path: "/run/uwsgi-gateway/feed.sock" }],
    "unix:/run/uwsgi-gateway/feed.sock",
  );
  command.add("feedTlsCert", "--feed-tls-cert <FILE>", "our certificate, for a feed over TCP", nonEmpty);
  command.add("feedTlsKey", "--feed-tls-key <FILE>", "its key", nonEmpty);
  command.add("feedTlsCa", "--feed-tls-ca <FILE>", "who signs the proxies' certificates", nonEmpty);
  const admin = { hostname: "127.0.0.1", port: 9146 };
  command.add(
    "admin",
    "--admin <HOST:PORT>",
    "health, metrics and routes",
    parseListenAddress,
    admin,
    "127.0.0.1:9146",
  );
}

function addCluster(command: ControllerCommand): void {
  command.add(
    "kubeconfig",
    "--kubeconfig <FILE>",
    "how to reach the API server; in a pod, its service account does",
    nonEmpty,
  );
  command.addList("namespaces", "--namespaces <NAME>", "read these alone; repeatable", dnsName, [], "all");
  command.add(
    "namespaceSelector",
    "--namespace-selector <LABELS>",
    "of those, the ones with these labels, such as team=web",
    nonEmpty,
  );
  command.add(
    "controllerName",
    "--controller-name <NAME>",
    "IngressClasses with this spec.controller are ours",
    nonEmpty,
    "uwsgi-gateway.io/ingress-controller",
  );
  command.add("zone", "--zone <ZONE>", "ours: prefer endpoints that hints keep for it", nonEmpty);
  command.add(
    "maxSecrets",
    "--max-secrets <N>",
    "Secrets that routes name, and that are read",
    whole(0, 100_000),
    1_000,
  );
  command.addFlag(
    "allowUwsgiScript",
    "--allow-uwsgi-script",
    "let routes set the var UWSGI_SCRIPT, which names code to load",
  );
  command.add("logLevel", "--log-level <LEVEL>", LOG_LEVELS.join(", "), oneOf(LOG_LEVELS), "info");
}

function addStatus(command: ControllerCommand, env: Environment): void {
  command.add(
    "publishService",
    "--publish-service <NAMESPACE/NAME>",
    "the Service whose address goes to the Ingresses' status",
    serviceName,
  );
  command.addList(
    "publishAddresses",
    "--publish-address <IP|NAME>",
    "an address that goes there instead; repeatable",
    publishedAddress,
    [],
    "none",
  );
  command.add(
    "leaseNamespace",
    "--lease-namespace <NAME>",
    "where the Lease is by which one of several controllers writes statuses",
    dnsName,
    env["POD_NAMESPACE"] || "default",
  );
  command.add("leaseName", "--lease-name <NAME>", "its name", dnsName, "uwsgi-gateway");
  command.addFlag("withoutStatus", "--without-status", "write no conditions, events or addresses");
}

function dnsName(text: string): string {
  if (text.length > 253 || !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(text)) {
    throw new RangeError("expected a name of lower-case letters, digits, '-' and '.'");
  }
  return text;
}

/** Whether it is one is known for sure where it is used; a slip is told here. */
function publishedAddress(text: string): string {
  if (isIP(text) === 0 && !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/i.test(text)) {
    throw new RangeError("expected an IP address or a host name");
  }
  return text;
}

function serviceName(text: string): ServiceName {
  const [namespace, name, ...more] = text.split("/");
  if (!namespace || !name || more.length > 0) throw new RangeError("expected namespace/name");
  return { namespace: dnsName(namespace), name: dnsName(name) };
}

const HELP_EPILOGUE = `
Each option is also an environment variable: --log-level is UWSGI_GATEWAY_LOG_LEVEL; repeatable ones take commas.
The command line wins. POD_NAME and POD_NAMESPACE say who we are, for the Lease.

Signals: SIGTERM and SIGINT give the Lease back and exit 0. Proxies serve on.`;
