/** An API server, pods and a running gateway for the suites that look at what clients of the gateway see. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "../../harness/gateway.ts";
import { type ApiServer, startApiServer } from "./api-server.ts";
import { createAuthority } from "./certificates.ts";
import { type ClusterGateway, startClusterGateway } from "./cluster-gateway.ts";

export const NAMESPACE = "web";
export const CLASS = "uwsgi";
/** Of every Service here. */
export const SERVICE_PORT = 80;
/** In the status of each Ingress that is served. */
export const PUBLISHED_IP = "192.0.2.7";
const SEEN_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

// biome-ignore lint/suspicious/noExplicitAny: manifests, as an API server takes them
type Json = any;

export interface IngressPath {
  readonly path?: string;
  readonly pathType: "Exact" | "Prefix" | "ImplementationSpecific";
  readonly service: string;
  /** The number of the Service's port by default. */
  readonly port?: { readonly number: number } | { readonly name: string };
}

export interface IngressOptions {
  readonly rules?: readonly { readonly host?: string; readonly paths?: readonly IngressPath[] }[];
  /** The name of a Service. */
  readonly defaultBackend?: string;
  /** `null`: no class is named. */
  readonly className?: string | null;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly tls?: readonly { readonly hosts?: readonly string[]; readonly secretName?: string }[];
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface Routes {
  readonly version: string;
  readonly hosts: readonly unknown[];
  readonly upstreams: readonly { readonly id: string; readonly endpoints: readonly { address: string }[] }[];
}

export interface WebCluster {
  readonly server: ApiServer;
  readonly gateway: ClusterGateway;
  /** Headless, with the port `uwsgi`; its EndpointSlices are the test's to write. */
  applyService(name: string): Promise<void>;
  applyIngress(name: string, options: IngressOptions): Promise<void>;
  deleteIngress(name: string): Promise<void>;
  /** As the API server has it. */
  ingress(name: string): Promise<Json>;
  get(host: string, path?: string): Promise<Answer>;
  /** Polls until it answers with that status and, where one is given, that body. Rejects after ten seconds. */
  until(host: string, path: string, status: number, body?: string): Promise<void>;
}

/** Both processes of the gateway are ready, and there is the IngressClass `uwsgi`, when this resolves. */
export async function startWebCluster(): Promise<WebCluster> {
  const server = await startApiServer();
  await server.kubectl(["apply", "-f", join(REPOSITORY, "charts/uwsgi-gateway/crds")]);
  await server.kubectl(["wait", "--for=condition=Established", "crd/uwsgiroutes.uwsgi-gateway.io"]);
  await server.createNamespace(NAMESPACE);
  await applyClass(server, CLASS);
  const gateway = await startClusterGateway({
    kubeconfig: server.kubeconfig,
    controllerArgs: ["--publish-address", PUBLISHED_IP, "--lease-namespace", "default"],
  });
  const ingresses = `/apis/networking.k8s.io/v1/namespaces/${NAMESPACE}/ingresses`;
  const get = (host: string, path = "/") => getFrom(gateway.port, host, path);
  return {
    ...{ server, gateway, get },
    applyService: (name) => applyService(server, name),
    applyIngress: async (name, options) => {
      await server.apply(`${ingresses}/${name}`, ingressManifest(name, options));
    },
    deleteIngress: async (name) => void (await server.request("DELETE", `${ingresses}/${name}`)),
    ingress: async (name) => (await server.request("GET", `${ingresses}/${name}`)).body,
    until: async (host, path, status, body) => {
      const is = (answer: Answer) => answer.status === status && (body === undefined || answer.body === body);
      await eventually(() => get(host, path), is, `${status} ${body ?? ""} at ${host}${path}`);
    },
  };
}

export async function applyClass(server: ApiServer, name: string, isDefault = false): Promise<void> {
  await server.apply(`/apis/networking.k8s.io/v1/ingressclasses/${name}`, {
    apiVersion: "networking.k8s.io/v1",
    kind: "IngressClass",
    metadata: {
      name,
      annotations: { "ingressclass.kubernetes.io/is-default-class": String(isDefault) },
    },
    spec: { controller: "uwsgi-gateway.io/ingress-controller" },
  });
}

async function applyService(server: ApiServer, name: string): Promise<void> {
  await server.apply(`/api/v1/namespaces/${NAMESPACE}/services/${name}`, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: NAMESPACE },
    spec: { clusterIP: "None", ports: [{ name: "uwsgi", port: SERVICE_PORT }] },
  });
}

/** Of type `kubernetes.io/tls`, signed by an authority of its own; `subjectNames` as `DNS:app.test`. */
export async function createTlsSecret(
  server: ApiServer,
  name: string,
  subjectNames: readonly string[],
): Promise<void> {
  const authority = await createAuthority(server.folder, `${name}-authority`);
  const files = await authority.issueServer(name, subjectNames);
  const encoded = (path: string) => readFileSync(path).toString("base64");
  await server.apply(`/api/v1/namespaces/${NAMESPACE}/secrets/${name}`, {
    ...{ apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls" },
    metadata: { name, namespace: NAMESPACE },
    data: { "tls.crt": encoded(files.certificate), "tls.key": encoded(files.key) },
  });
}

function ingressManifest(name: string, options: IngressOptions): Json {
  const { rules = [], defaultBackend, className = CLASS, annotations = {}, tls = [] } = options;
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name, namespace: NAMESPACE, annotations },
    spec: {
      ...(className === null ? {} : { ingressClassName: className }),
      ...(defaultBackend === undefined ? {} : { defaultBackend: backend(defaultBackend) }),
      ...(rules.length === 0 ? {} : { rules: rules.map(ruleManifest) }),
      ...(tls.length === 0 ? {} : { tls }),
    },
  };
}

function ruleManifest({ host, paths }: NonNullable<IngressOptions["rules"]>[number]): Json {
  const named = paths?.map(({ path, pathType, service, port }) => ({
    ...(path === undefined ? {} : { path }),
    ...{ pathType, backend: backend(service, port) },
  }));
  return {
    ...(host === undefined ? {} : { host }),
    ...(named === undefined ? {} : { http: { paths: named } }),
  };
}

function backend(name: string, port: IngressPath["port"] = { number: SERVICE_PORT }): Json {
  return { service: { name, port } };
}

export async function getFrom(port: number, host: string, path: string): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { Host: host } });
  return { status: response.status, body: await response.text() };
}

/** The `/routes` of a controller or a proxy, without what counts requests. */
export async function routesOf(admin: string): Promise<Routes> {
  const page = (await (await fetch(`${admin}/routes`)).json()) as Routes;
  const upstreams = page.upstreams.map(({ id, endpoints }) => ({
    id,
    endpoints: endpoints.map(({ address }) => ({ address })),
  }));
  return { version: page.version, hosts: page.hosts, upstreams };
}

/** Polls until `is` holds for what `look` gives, and resolves with that. Rejects after `timeoutMs`. */
export async function eventually<T>(
  look: () => Promise<T>,
  is: (found: T) => boolean,
  what: string,
  timeoutMs = SEEN_TIMEOUT_MS,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (is(found)) return found;
    if (performance.now() > deadlineMs) throw new Error(`not ${what}, but ${JSON.stringify(found)}`);
    await Bun.sleep(POLL_MS);
  }
}
