/** The installed chart's gateway as running processes, and a site for it to serve. */
import type { Manifest } from "../../chart/helm.ts";
import { temporaryFolder } from "../../harness/cleanup.ts";
import type { ApiServer } from "./api-server.ts";
import { createAuthority } from "./certificates.ts";
import { type ClusterGateway, startClusterGateway } from "./cluster-gateway.ts";
import { applyEndpointSlice, endpointOf } from "./endpoint-slices.ts";
import type { InstalledChart } from "./installed-chart.ts";
import type { Pod } from "./pods.ts";

export const ROUTES = "/apis/uwsgi-gateway.io/v1alpha1";
/** Chart values with which the processes of a test end at once. */
export const QUICK = "proxy: { drainDelaySeconds: 0 }";
const READY_TIMEOUT_MS = 30_000;

/** Answers with the host that it was asked for. */
export const ECHO_HOST = `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["HTTP_HOST"].encode()]
`;

export interface Site {
  readonly namespace: string;
  readonly pod: Pod;
  /** Of type `kubernetes.io/tls`, named `site`. */
  readonly secret: Manifest;
}

/** In which no namespace is said. */
export async function createSiteSecret(server: ApiServer): Promise<Manifest> {
  const authority = await createAuthority(temporaryFolder("sites"), "sites-ca");
  const { certificate, key } = await authority.issueServer("site", ["DNS:site.test"]);
  const words = ["create", "secret", "tls", "site", "--cert", certificate, "--key", key];
  return JSON.parse(await server.kubectl([...words, "--dry-run=client", "-o", "json"]));
}

export function startGateway(
  installed: InstalledChart,
  podName: string,
  readyTimeoutMs = READY_TIMEOUT_MS,
): Promise<ClusterGateway> {
  const { kubeconfig, controllerArgs, proxyArgs } = installed;
  return startClusterGateway({
    ...{ kubeconfig, controllerArgs, proxyArgs, podName, readyTimeoutMs },
    // As a pod of a Kubernetes that does not copy its node's zone.
    controllerEnv: { POD_NAMESPACE: installed.namespace, UWSGI_GATEWAY_ZONE: "" },
  });
}

export async function stop(gateway: ClusterGateway): Promise<void> {
  await Promise.all([gateway.controller().stop(), gateway.proxy().stop()]);
}

export async function get(gateway: ClusterGateway, host: string): Promise<[number, string]> {
  const response = await fetch(`http://127.0.0.1:${gateway.port}/`, { headers: { Host: host } });
  return [response.status, await response.text()];
}

export async function metric(gateway: ClusterGateway, series: string): Promise<number> {
  const text = await (await fetch(`${gateway.controllerAdmin}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`uwsgi_gateway_controller_${series} `));
  if (line === undefined) throw new Error(`no ${series} in\n${text}`);
  return Number(line.split(" ").at(-1));
}

/** A route and an Ingress with a certificate, `route.NAMESPACE` and `ingress.NAMESPACE`, before the pod. */
export async function applySite(server: ApiServer, { namespace, pod, secret }: Site): Promise<void> {
  await server.kubectl(["apply", "-n", namespace, "-f", "-"], { input: JSON.stringify(secret) });
  await server.kubectl(["apply", "-n", namespace, "-f", "-"], {
    input: `
apiVersion: v1
kind: Service
metadata: { name: django }
spec: { clusterIP: None, ports: [{ name: uwsgi, port: 29000 }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: site }
spec:
  ingressClassName: uwsgi
  tls: [{ hosts: [ingress.${namespace}], secretName: site }]
  rules:
    - host: ingress.${namespace}
      http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: django, port: { number: 29000 } } } }] }
`,
  });
  await applyEndpointSlice(server, {
    ...{ namespace, service: "django", ports: { uwsgi: pod.port }, endpoints: [endpointOf(pod)] },
  });
  await applyRoute(server, namespace, "app", `route.${namespace}`);
}

export async function applyRoute(
  server: ApiServer,
  namespace: string,
  name: string,
  host = `${name}.${namespace}`,
): Promise<void> {
  await server.apply(`${ROUTES}/namespaces/${namespace}/uwsgiroutes/${name}`, {
    ...{ apiVersion: "uwsgi-gateway.io/v1alpha1", kind: "UwsgiRoute", metadata: { name, namespace } },
    spec: {
      ingressClassName: "uwsgi",
      hostnames: [host],
      rules: [{ backendRefs: [{ name: "django", port: 29000 }] }],
    },
  });
}

export const mergePatch = (server: ApiServer, path: string, body: object) =>
  server.request("PATCH", path, body, "application/merge-patch+json");

/** As a cloud's controller does. */
export async function publishAddress(
  server: ApiServer,
  { namespace, name }: InstalledChart,
  ip: string,
): Promise<void> {
  const status = { loadBalancer: { ingress: [{ ip }] } };
  const path = `/api/v1/namespaces/${namespace}/services/${name}/status`;
  const { status: code } = await mergePatch(server, path, { status });
  if (code !== 200) throw new Error(`the status of Service ${name}: ${code}`);
}
