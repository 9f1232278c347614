/** Pure: a `coordination.k8s.io/v1` Lease as an election's record, with the meaning that client-go gives it. */
import type { KubeObject } from "../kube/api.ts";
import { field, text } from "./observed.ts";

export interface LeaseTimes {
  /** Others wait so long after the last renewal that they see. */
  readonly leaseDurationMs: number;
  readonly epochMs: number;
}

/** `undefined`: nobody's, so that the first who asks may have it. */
export function holderOf(lease: KubeObject): string | undefined {
  return text(field(lease.spec, "holderIdentity"));
}

/** What was promised to the holder; `otherwise` where the record does not say. */
export function durationMsOf(lease: KubeObject, otherwise: number): number {
  const seconds = field(lease.spec, "leaseDurationSeconds");
  return typeof seconds === "number" && seconds > 0 ? seconds * 1000 : otherwise;
}

/** Changes with every renewal. */
export function recordOf(lease: KubeObject): string {
  return JSON.stringify([lease.metadata.uid, lease.spec]);
}

export function newLease(name: string, namespace: string, identity: string, times: LeaseTimes): object {
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name, namespace },
    spec: { ...held(identity, times), acquireTime: microTime(times.epochMs), leaseTransitions: 0 },
  };
}

/** Renewed where it is the holder's already, else taken over. The resource version in it keeps two from having it. */
export function takenLease(lease: KubeObject, identity: string, times: LeaseTimes): object {
  const spec = { ...(lease.spec as object | undefined), ...held(identity, times) };
  if (holderOf(lease) === identity) return { ...lease, spec };
  const transitions = field(lease.spec, "leaseTransitions");
  const leaseTransitions = (typeof transitions === "number" ? transitions : 0) + 1;
  return { ...lease, spec: { ...spec, acquireTime: microTime(times.epochMs), leaseTransitions } };
}

/** With no holder, and so short that a client that looks at the time only does not wait. */
export function releasedLease(lease: KubeObject, epochMs: number): object {
  const time = microTime(epochMs);
  const released = { holderIdentity: "", leaseDurationSeconds: 1, renewTime: time, acquireTime: time };
  return { ...lease, spec: { ...(lease.spec as object | undefined), ...released } };
}

function held(identity: string, { leaseDurationMs, epochMs }: LeaseTimes) {
  return {
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000),
    renewTime: microTime(epochMs),
  };
}

/** `metav1.MicroTime`: RFC 3339 with six digits of a second. */
function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace("Z", "000Z");
}
