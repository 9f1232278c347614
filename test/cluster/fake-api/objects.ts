/** Objects as manifests have them, each good as it is; what a test is about is given. All are of namespace `web`. */
import type { GivenObject } from "./server.ts";

export function service(name: string, port = 80, namespace = "web"): GivenObject {
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec: { ports: [{ port }] } };
}

export function slice(
  name: string,
  serviceName: string | undefined,
  ip = "10.0.0.1",
  more: object = {},
): GivenObject {
  const labels = serviceName === undefined ? {} : { "kubernetes.io/service-name": serviceName };
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, namespace: "web", labels },
    addressType: "IPv4",
    ports: [{ name: "", port: 29000 }],
    endpoints: [{ addresses: [ip], conditions: { ready: true } }],
    ...more,
  };
}

export function route(name: string, spec: object = {}, metadata: object = {}): GivenObject {
  return {
    apiVersion: "uwsgi-gateway.io/v1alpha1",
    kind: "UwsgiRoute",
    metadata: { name, namespace: "web", ...metadata },
    spec: { ingressClassName: "uwsgi", rules: [{ backendRefs: [{ name: "app", port: 80 }] }], ...spec },
  };
}

export function ingress(
  name: string,
  spec: object = {},
  annotations: Record<string, string> = {},
): GivenObject {
  const defaultBackend = { service: { name: "app", port: { number: 80 } } };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name, namespace: "web", annotations },
    spec: { ingressClassName: "uwsgi", defaultBackend, ...spec },
  };
}

export function secret(name: string, crt = "AAAA", metadata: object = {}): GivenObject {
  const data = { "tls.crt": crt, "tls.key": "AAAA" };
  return {
    apiVersion: "v1",
    kind: "Secret",
    type: "kubernetes.io/tls",
    metadata: { name, namespace: "web", ...metadata },
    data,
  };
}
