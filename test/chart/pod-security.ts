/**
 * What in a pod the profile `restricted` of Kubernetes' Pod Security Standards refuses, and a root file system that can be written, which
 * this project does not want either. Pure: a pod's spec in, faults out.
 */
import type { Manifest } from "./helm.ts";

const VOLUME_TYPES = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
];
const SAFE_SYSCTLS = [
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
];

export function restrictedFaults(pod: Manifest): string[] {
  const faults: string[] = [];
  for (const field of ["hostNetwork", "hostPID", "hostIPC"]) if (pod[field]) faults.push(field);
  for (const volume of pod.volumes ?? []) {
    const type = Object.keys(volume).find((key) => key !== "name") ?? "";
    if (!VOLUME_TYPES.includes(type)) faults.push(`volume ${volume.name}: ${type}`);
  }
  for (const { name } of pod.securityContext?.sysctls ?? []) {
    if (!SAFE_SYSCTLS.includes(name)) faults.push(`sysctl ${name}`);
  }
  for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
    for (const fault of containerFaults(container, pod)) faults.push(`${container.name}: ${fault}`);
  }
  return faults;
}

function containerFaults(container: Manifest, pod: Manifest): string[] {
  const faults: string[] = [];
  const own = container.securityContext ?? {};
  const effective = { ...pod.securityContext, ...own };
  if (effective.runAsNonRoot !== true) faults.push("runAsNonRoot");
  if (!(effective.runAsUser > 0)) faults.push("runAsUser");
  if (!["RuntimeDefault", "Localhost"].includes(effective.seccompProfile?.type))
    faults.push("seccompProfile");
  if (own.privileged) faults.push("privileged");
  if (own.allowPrivilegeEscalation !== false) faults.push("allowPrivilegeEscalation");
  if (own.readOnlyRootFilesystem !== true) faults.push("readOnlyRootFilesystem");
  if (!own.capabilities?.drop?.includes("ALL")) faults.push("capabilities.drop");
  for (const added of own.capabilities?.add ?? []) {
    if (added !== "NET_BIND_SERVICE") faults.push(`capabilities.add ${added}`);
  }
  for (const { hostPort } of container.ports ?? []) if (hostPort) faults.push(`hostPort ${hostPort}`);
  return faults;
}
