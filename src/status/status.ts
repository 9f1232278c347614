/**
 * The door of this folder: what became of the objects goes back into them, as conditions, events and load-balancer addresses. One
 * controller among several does it, the leader; the others keep up, so that they can go on where it stops. Runs under Node.
 *
 * What it asks of the API server, and so of RBAC:
 *
 * | group, resource | verbs | where |
 * |---|---|---|
 * | `networking.k8s.io` `ingresses/status` | patch | watched namespaces |
 * | `networking.k8s.io` `ingresses` | get (after a conflict) | watched namespaces |
 * | `uwsgi-gateway.io` `uwsgiroutes/status` | patch | watched namespaces |
 * | `uwsgi-gateway.io` `uwsgiroutes` | get (after a conflict) | watched namespaces |
 * | core `events` | create, patch | watched namespaces |
 * | `coordination.k8s.io` `leases` | create (cannot be held to a name) | the Lease's namespace |
 * | `coordination.k8s.io` `leases`, resourceNames: the Lease | get, update | the Lease's namespace |
 *
 * Nothing is listed, watched or deleted here. Who watches the published Service needs get, list and watch for it.
 *
 * A UwsgiRoute has conditions. An Ingress has none: its problems are told in events, and it carries the address where clients
 * reach the gateway, once it is served. Nothing is written into objects of other classes; one that leaves our classes before our
 * eyes gets back what is still ours in it.
 *
 * `Programmed` speaks of the proxies that are connected to the leader's feed. Where each pod has a feed of its own, those are the
 * leader's own; the other pods' proxies get the same table from their own controllers.
 */
import type { KubeApi, KubeObject } from "../kube/api.ts";
import type { Logger } from "../ops/log.ts";
import type { Timers } from "../ops/timers.ts";
import { refText } from "../resources/metadata.ts";
import { type EventCounts, EventRecorder } from "./events.ts";
import { Elector } from "./leader.ts";
import type { Publish } from "./load-balancer.ts";
import type { Observed } from "./observed.ts";
import type { StatusRef } from "./paths.ts";
import type { ProxyState } from "./rollout.ts";
import { StatusKeeper, type StatusUpdate } from "./status-keeper.ts";
import { StatusWriter, type WriterCounts, type WriterLimits } from "./writer.ts";

export type { Address, Publish } from "./load-balancer.ts";
export { parseAddress } from "./load-balancer.ts";
export type { Observed } from "./observed.ts";
export type { StatusRef } from "./paths.ts";
export type { ProxyState } from "./rollout.ts";
export type { StatusUpdate } from "./status-keeper.ts";

export interface StatusOptions {
  readonly api: Pick<KubeApi, "get" | "create" | "replace" | "mergePatch">;
  /** Of this process and no other, before or after: the pod's name and something random. */
  readonly identity: string;
  readonly leaseNamespace: string;
  readonly leaseName: string;
  readonly publish: Publish;
  /** The object as the watch last saw it; `undefined` where there is none. Called often. */
  readonly routeState: (ref: StatusRef) => Observed | undefined;
  readonly timers: Timers;
  /** In [0, 1). */
  readonly random: () => number;
  readonly epochMs: () => number;
  readonly log: Pick<Logger, "info" | "warn">;
  readonly limits?: WriterLimits;
}

/** For metrics; read at scrape time. */
export interface StatusReport {
  readonly isLeader: boolean;
  readonly writer: Readonly<WriterCounts>;
  readonly events: Readonly<EventCounts>;
  /** Objects. */
  readonly queueLength: number;
  readonly eventQueueLength: number;
}

export interface Status {
  update(update: StatusUpdate): void;
  /** All that are connected now, after each answer, arrival and departure. */
  proxies(states: readonly ProxyState[]): void;
  /** The Service of `publish`, after each change; `undefined` where there is none. Not before the watch has synced. */
  publishedService(service: KubeObject | undefined): void;
  report(): StatusReport;
  /** Stops writing at once, and gives the Lease back. */
  close(): Promise<void>;
}

export function startStatus(options: StatusOptions): Status {
  const { log, leaseNamespace, leaseName, identity } = options;
  const isLeader = () => elector.isLeader();
  const errors = errorLog(log);
  const writer = new StatusWriter({
    ...options,
    isLeader,
    desired: (ref, observed) => keeper.desired(ref, observed),
    onDone: (ref) => keeper.done(ref),
    onError: (ref, error) => errors("status not written", refText(ref), error),
  });
  const events = new EventRecorder({
    ...options,
    instance: identity,
    isLeader,
    onError: ({ ref }, error) => errors("event not sent", refText(ref), error),
  });
  const keeper = new StatusKeeper({ ...options, writer, events });
  const lease = `${leaseNamespace}/${leaseName}`;
  const elector = new Elector({
    ...options,
    namespace: leaseNamespace,
    name: leaseName,
    onGained: () => {
      log.info({ lease, identity }, "leader now: writing statuses");
      keeper.lead();
    },
    onLost: () => {
      log.info({ lease, identity }, "leader no more");
      keeper.rest();
    },
    onError: (error) => errors("lease not renewed", lease, error),
  });
  elector.start();
  return {
    update: (update) => keeper.update(update),
    proxies: (states) => keeper.proxies(states),
    publishedService: (service) => keeper.publishedService(service),
    report: () => ({
      isLeader: isLeader(),
      writer: writer.counts,
      events: events.counts,
      queueLength: writer.queueLength,
      eventQueueLength: events.queueLength,
    }),
    async close() {
      keeper.close();
      await elector.close();
      await Promise.all([writer.close(), events.close()]);
    },
  };
}

/** An API server that is away fails thousands of writes alike: one line each time that the reason changes. */
function errorLog(log: Pick<Logger, "warn">) {
  const last = new Map<string, string>();
  return (what: string, subject: string, error: unknown) => {
    const { name, message, status } = error as Error & { status?: number };
    const kind = `${name} ${status}`;
    if (last.get(what) === kind) return;
    last.set(what, kind);
    log.warn({ subject, reason: message, status }, what);
  };
}
