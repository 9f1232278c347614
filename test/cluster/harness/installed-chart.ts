/** The chart as the real Helm installs it into a test API server: what its containers run, and what its ServiceAccount may do. */
import { CHART, type Manifest, only } from "../../chart/helm.ts";
import type { ApiServer } from "./api-server.ts";
import { type AuditEvent, wasDenied } from "./audit.ts";

/** What a pod's folders and ports are for; a test's processes have their own. */
const ADAPTED = ["--feed", "--admin", "--http", "--snapshot-file", "--temp-dir"];

export interface InstalledChart {
  readonly namespace: string;
  /** Of the Deployment, the Service, the Lease. */
  readonly name: string;
  /** As the audit log has it. */
  readonly user: string;
  readonly controllerArgs: readonly string[];
  readonly proxyArgs: readonly string[];
  /** The ServiceAccount's. */
  readonly kubeconfig: string;
  /** One for each verb of each resource of each rule. */
  readonly permissions: readonly Permission[];
  /** May be called again. */
  uninstall(): Promise<unknown>;
}

export interface Permission {
  readonly verb: string;
  readonly group: string;
  /** With its subresource: `ingresses/status`. */
  readonly resource: string;
  /** Absent: in all of them. */
  readonly namespace?: string;
  /** Of the only object that it is for. */
  readonly name?: string;
}

export interface InstallOptions {
  readonly release: string;
  /** Made by Helm where it is not there. */
  readonly namespace: string;
  /** YAML, as from a file. */
  readonly values?: string;
}

/** Reads everything back from the server, so that it is what the server made of the chart. */
export async function installChart(server: ApiServer, options: InstallOptions): Promise<InstalledChart> {
  const { release, namespace, values = "" } = options;
  const words = ["install", release, CHART, "--namespace", namespace, "--create-namespace", "--values", "-"];
  await server.helm(words, { input: values });
  const selector = `app.kubernetes.io/instance=${release}`;
  const list = async (kinds: string, ...where: string[]): Promise<Manifest[]> =>
    JSON.parse(await server.kubectl(["get", kinds, "-l", selector, "-o", "json", ...where])).items;
  const deployment = only(await list("deployments", "-n", namespace), "Deployment");
  const account = deployment.spec.template.spec.serviceAccountName;
  const bound = await list("roles,clusterroles", "-A");
  const isOurs = ({ metadata }: Manifest) =>
    metadata.namespace !== undefined || metadata.name.startsWith(`${namespace}:`);
  return {
    ...{ namespace, name: deployment.metadata.name, user: `system:serviceaccount:${namespace}:${account}` },
    controllerArgs: adapted(deployment, "controller"),
    proxyArgs: adapted(deployment, "proxy"),
    kubeconfig: await server.serviceAccountKubeconfig(namespace, account),
    permissions: bound.filter(isOurs).flatMap(permissionsOf),
    uninstall: () => server.helm(["uninstall", release, "--ignore-not-found", "--namespace", namespace]),
  };
}

/** A container's arguments, but for those that name its pod's folders and ports. */
function adapted(deployment: Manifest, container: string): string[] {
  const { args } = deployment.spec.template.spec.containers.find(
    ({ name }: Manifest) => name === container,
  ) as { args: string[] };
  return args.filter((word) => !ADAPTED.includes(word.split("=")[0]!));
}

function permissionsOf({ metadata, rules }: Manifest): Permission[] {
  const { namespace } = metadata as { namespace?: string };
  const found: Permission[] = [];
  for (const { apiGroups, resources, verbs, resourceNames } of rules) {
    for (const group of apiGroups)
      for (const resource of resources)
        for (const verb of verbs)
          for (const name of resourceNames ?? [undefined])
            found.push({
              ...{ verb, group, resource },
              ...(namespace === undefined ? {} : { namespace }),
              ...(name === undefined ? {} : { name }),
            });
  }
  return found;
}

/** Whether the log has a call that this permission, and no narrower one, let through. */
export function wasUsed(permission: Permission, events: readonly AuditEvent[]): boolean {
  return events.some((event) => !wasDenied(event) && isOf(permission, event));
}

function isOf(permission: Permission, { verb, objectRef }: AuditEvent): boolean {
  if (objectRef === undefined || verb !== permission.verb) return false;
  const { resource = "", subresource, apiGroup = "", namespace, name } = objectRef;
  return (
    permission.resource === (subresource === undefined ? resource : `${resource}/${subresource}`) &&
    permission.group === apiGroup &&
    (permission.namespace === undefined || permission.namespace === namespace) &&
    (permission.name === undefined || permission.name === name)
  );
}
