/**
 * Proves with the real Helm that the chart lints, that what it renders is restricted, has the rights that it needs and no others, and stops in an
 * order that loses no request, that wrong values are refused with a message, and that deploy/ is what the chart renders.
 */
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findHelm, lint, type Manifest, only, ROOT, render, template } from "./helm.ts";
import { restrictedFaults } from "./pod-security.ts";

const WATCHED = [
  "get,list,watch networking.k8s.io/ingresses",
  "patch networking.k8s.io/ingresses/status",
  "get,list,watch uwsgi-gateway.io/uwsgiroutes",
  "patch uwsgi-gateway.io/uwsgiroutes/status",
  "list,watch /services",
  "list,watch discovery.k8s.io/endpointslices",
  "list,watch /secrets",
  "create,patch /events",
];
const CLASSES = "list,watch networking.k8s.io/ingressclasses";
const LEASE = ["create coordination.k8s.io/leases", "get,update coordination.k8s.io/leases gw-uwsgi-gateway"];

const EVERYTHING = `
hostPort: { enabled: true }
autoscaling: { enabled: true }
metrics: { serviceMonitor: { enabled: true }, grafanaDashboard: { enabled: true } }
networkPolicy: { httpFrom: [{ ipBlock: { cidr: 192.0.2.0/24 } }] }
publishAddresses: [192.0.2.1]
extraVolumes: [{ name: static, emptyDir: {} }]
proxy: { extraVolumeMounts: [{ name: static, mountPath: /srv }], extraEnv: [{ name: A, value: b }], extraArgs: [--idle-timeout=5s] }
imagePullSecrets: [{ name: pull }]
priorityClassName: system-cluster-critical
nodeSelector: { a: b }
tolerations: [{ operator: Exists }]
affinity: { nodeAffinity: {} }
commonLabels: { team: web }
`;

function pod(objects: readonly Manifest[]): Manifest {
  return only(objects, "Deployment").spec.template.spec;
}

function container(objects: readonly Manifest[], name: string): Manifest {
  return pod(objects).containers.find((each: Manifest) => each.name === name);
}

/** `verbs group/resource names`, one for each rule and resource. */
function rights(role: Manifest): string[] {
  return role.rules.flatMap(({ apiGroups, resources, verbs, resourceNames }: Manifest) =>
    resources.map((resource: string) =>
      [verbs.join(","), `${apiGroups.join(",")}/${resource}`, ...(resourceNames ?? [])].join(" "),
    ),
  );
}

function suite(): void {
  test.each(["", EVERYTHING, "watchNamespaces: [a, b]", "service: { type: ClusterIP }"])(
    "lints with %p",
    (values) => {
      expect(lint(values)).toMatchObject({ code: 0 });
      expect(template(values)).toMatchObject({ code: 0, err: "" });
    },
  );

  describe("pods", () => {
    const objects = render();

    test("are within Pod Security restricted, the one of `helm test` too", () => {
      expect(restrictedFaults(pod(objects))).toEqual([]);
      expect(restrictedFaults(only(objects, "Pod").spec)).toEqual([]);
    });

    test("only the controller's container gets a token", () => {
      expect(only(objects, "ServiceAccount").automountServiceAccountToken).toBe(false);
      expect(pod(objects).automountServiceAccountToken).toBe(false);
      expect(only(objects, "Pod").spec.automountServiceAccountToken).toBe(false);
      const mounts = (name: string) =>
        container(objects, name).volumeMounts.map((each: Manifest) => each.name);
      expect(mounts("controller")).toEqual(["feed", "token"]);
      expect(mounts("proxy")).toEqual(["feed", "state"]);
    });

    test("both containers have all probes, and those name ports that they have", () => {
      for (const { ports, ...rest } of pod(objects).containers) {
        for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"]) {
          expect(ports.map((each: Manifest) => each.name)).toContain(rest[probe].httpGet.port);
        }
      }
    });

    test("a proxy that serves stays in rotation whatever its controller says of itself", () => {
      expect(container(objects, "proxy").readinessProbe.httpGet.path).toBe("/readyz");
      expect(container(objects, "controller").readinessProbe.httpGet.path).toBe("/healthz");
    });

    test("stop in time: the controller feeds the proxy while it accepts, and all ends before SIGKILL", () => {
      const changed = render("proxy: { drainDelaySeconds: 7, drainTimeoutSeconds: 90 }");
      expect(container(changed, "proxy").args).toContain("--drain-delay=7s");
      expect(container(changed, "proxy").args).toContain("--drain-timeout=90s");
      expect(container(changed, "controller").lifecycle.preStop).toEqual({ sleep: { seconds: 7 } });
      expect(pod(changed).terminationGracePeriodSeconds).toBe(107);
      // `sleep` of 0 seconds is refused by older API servers.
      expect(container(render("proxy: { drainDelaySeconds: 0 }"), "controller").lifecycle).toBeUndefined();
    });

    test("get one capability, and the sysctl that has the effect, for a port below 1024", () => {
      const low = render("proxy: { httpPort: 80 }");
      expect(container(low, "proxy").securityContext.capabilities).toEqual({
        drop: ["ALL"],
        add: ["NET_BIND_SERVICE"],
      });
      expect(container(low, "controller").securityContext.capabilities).toEqual({ drop: ["ALL"] });
      expect(pod(low).securityContext.sysctls).toEqual([
        { name: "net.ipv4.ip_unprivileged_port_start", value: "80" },
      ]);
      expect(restrictedFaults(pod(low))).toEqual([]);
      expect(container(objects, "proxy").securityContext.capabilities).toEqual({ drop: ["ALL"] });
    });

    test("spread over nodes and zones, each update's pods by themselves", () => {
      const labels = only(objects, "Deployment").spec.selector.matchLabels;
      for (const each of pod(objects).topologySpreadConstraints) {
        expect(each).toMatchObject({
          labelSelector: { matchLabels: labels },
          matchLabelKeys: ["pod-template-hash"],
        });
      }
      expect(pod(objects).topologySpreadConstraints.map((each: Manifest) => each.topologyKey)).toEqual([
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
      ]);
    });

    test("are told the same socket, ports and namespaces as their surroundings", () => {
      const changed = render("watchNamespaces: [a, b]\ncontroller: { adminPort: 9999 }\nlistenHost: '[::]'");
      expect(container(changed, "controller").args).toEqual([
        "--feed=unix:/run/uwsgi-gateway/feed.sock",
        "--admin=[::]:9999",
        "--controller-name=uwsgi-gateway.io/ingress-controller",
        "--lease-namespace=gateways",
        "--lease-name=gw-uwsgi-gateway",
        "--log-level=info",
        "--namespaces=a,b",
        "--publish-service=gateways/gw-uwsgi-gateway",
      ]);
      expect(container(changed, "proxy").args).toContain("--feed=unix:/run/uwsgi-gateway/feed.sock");
      expect(container(changed, "proxy").args).toContain("--http=[::]:8080");
    });
  });

  describe("rights", () => {
    test("in all namespaces", () => {
      const objects = render();
      expect(rights(only(objects, "ClusterRole"))).toEqual([CLASSES, ...WATCHED]);
      expect(rights(only(objects, "Role"))).toEqual(LEASE);
    });

    test("in a list of namespaces: no more than classes of the cluster, and the address of its own Service", () => {
      const objects = render("watchNamespaces: [a, b]");
      expect(rights(only(objects, "ClusterRole"))).toEqual([CLASSES]);
      for (const namespace of ["a", "b"]) {
        const inNamespace = objects.filter((each) => each.metadata.namespace === namespace);
        expect(rights(only(inNamespace, "Role"))).toEqual(WATCHED);
        expect(only(inNamespace, "RoleBinding").subjects[0].namespace).toBe("gateways");
      }
      const own = objects.filter((each) => each.metadata.namespace === "gateways");
      expect(rights(only(own, "Role"))).toEqual([...LEASE, "list,watch /services gw-uwsgi-gateway"]);
    });

    test("Secrets and Namespaces as asked for", () => {
      const without = rights(only(render("readSecrets: false"), "ClusterRole"));
      expect(without).toEqual([CLASSES, ...WATCHED.filter((each) => !each.endsWith("/secrets"))]);
      const selecting = rights(only(render("watchNamespaceSelector: team=web"), "ClusterRole"));
      expect(selecting).toEqual([CLASSES, "list,watch /namespaces", ...WATCHED]);
      const both = render("watchNamespaces: [a]\nwatchNamespaceSelector: team=web\nreadSecrets: false");
      expect(rights(only(both, "ClusterRole"))).toEqual([CLASSES, "list,watch /namespaces"]);
      expect(container(both, "controller").args).toContain("--namespace-selector=team=web");
      expect(container(both, "controller").args).toContain("--max-secrets=0");
    });

    test("bindings lead from the account to the roles", () => {
      const objects = render("watchNamespaces: [a]");
      const bindings = objects.filter((each) => each.kind.endsWith("RoleBinding"));
      expect(bindings).toHaveLength(3);
      for (const { roleRef, subjects, metadata } of bindings) {
        const role = only(objects, roleRef.kind, roleRef.name);
        expect(role.metadata.namespace).toBe(metadata.namespace);
        expect(subjects).toEqual([
          { kind: "ServiceAccount", name: "gw-uwsgi-gateway", namespace: "gateways" },
        ]);
      }
    });

    test("none where they come from elsewhere", () => {
      const objects = render("rbac: { create: false }\nserviceAccount: { create: false, name: mine }");
      expect(objects.filter((each) => /Role|ServiceAccount/.test(each.kind))).toEqual([]);
      expect(pod(objects).serviceAccountName).toBe("mine");
      expect(template("serviceAccount: { create: false }").err).toContain("serviceAccount.name is needed");
    });
  });

  describe("the way in", () => {
    test("Services find the pods, by ports that the pods have", () => {
      const objects = render();
      const names = pod(objects).containers.flatMap(({ ports }: Manifest) =>
        ports.map((each: Manifest) => each.name),
      );
      for (const service of objects.filter((each) => each.kind === "Service")) {
        expect(only(objects, "Deployment").spec.template.metadata.labels).toMatchObject(
          service.spec.selector,
        );
        for (const { targetPort } of service.spec.ports) expect(names).toContain(targetPort);
      }
    });

    test("a node port", () => {
      const { spec } = only(
        render("service: { type: NodePort, httpNodePort: 30080 }"),
        "Service",
        "gw-uwsgi-gateway",
      );
      expect(spec).toMatchObject({ type: "NodePort", ports: [{ port: 80, nodePort: 30080 }] });
    });

    test("a port of the node, without a Service: pods make room before they are replaced", () => {
      const objects = render(
        "service: { enabled: false }\nhostPort: { enabled: true, http: 81 }\npublishAddresses: [192.0.2.1]",
      );
      expect(container(objects, "proxy").ports[0]).toEqual({
        name: "http",
        containerPort: 8080,
        hostPort: 81,
      });
      expect(only(objects, "Deployment").spec.strategy.rollingUpdate).toEqual({
        maxSurge: 0,
        maxUnavailable: 1,
      });
      expect(container(objects, "controller").args).toContain("--publish-address=192.0.2.1");
      expect(restrictedFaults(pod(objects))).toEqual(["proxy: hostPort 81"]);
    });

    test("the class, by default only where it is named", () => {
      expect(only(render(), "IngressClass").metadata.annotations).toBeUndefined();
      const { metadata, spec } = only(
        render("ingressClass: { default: true, controller: example.com/gw }"),
        "IngressClass",
      );
      expect(metadata.annotations).toEqual({ "ingressclass.kubernetes.io/is-default-class": "true" });
      expect(spec.controller).toBe("example.com/gw");
    });

    test("the network policy: HTTP for everyone, the admin ports for few", () => {
      const [http, admin] = only(render(), "NetworkPolicy").spec.ingress;
      expect(http).toEqual({ ports: [{ port: "http", protocol: "TCP" }] });
      expect(admin.from).toHaveLength(2);
      const test = only(render(), "Pod").metadata.labels;
      expect(test).toMatchObject(admin.from[1].podSelector.matchLabels);
      const closed = only(
        render("networkPolicy: { adminFrom: [], httpFrom: [{ podSelector: {} }] }"),
        "NetworkPolicy",
      );
      expect(closed.spec.ingress.map((each: Manifest) => each.from.length)).toEqual([2, 1]);
    });
  });

  test("an autoscaler takes the place of a number of pods, and looks at the proxy alone", () => {
    const objects = render("autoscaling: { enabled: true }");
    expect(only(objects, "Deployment").spec.replicas).toBeUndefined();
    const [metric] = only(objects, "HorizontalPodAutoscaler").spec.metrics;
    expect(metric.containerResource).toMatchObject({ container: "proxy", name: "cpu" });
  });

  test("with every option: a key is never written twice, and all names refer to something", () => {
    const objects = render(EVERYTHING);
    const monitor = only(objects, "ServiceMonitor").spec;
    const service = only(objects, "Service", "gw-uwsgi-gateway-admin");
    expect(service.metadata.labels).toMatchObject(monitor.selector.matchLabels);
    expect(monitor.endpoints.map((each: Manifest) => each.port)).toEqual(
      service.spec.ports.map((each: Manifest) => each.name),
    );
    const volumes = pod(objects).volumes.map((each: Manifest) => each.name);
    for (const { volumeMounts } of pod(objects).containers) {
      for (const { name } of volumeMounts) expect(volumes).toContain(name);
    }
    expect(only(objects, "PodDisruptionBudget").spec.selector).toEqual(
      only(objects, "Deployment").spec.selector,
    );
    for (const { metadata } of objects) expect(metadata.labels.team).toBe("web");
  });

  test.each([
    ["ingressClass: { nmae: x }", "nmae"],
    ["replica: 3", "replica"],
    ["proxy: { workers: 0 }", "/proxy/workers"],
    ["proxy: { accessLog: sometimes }", "/proxy/accessLog"],
    ["proxy: { stateSizeLimit: much }", "/proxy/stateSizeLimit"],
    ["service: { type: External }", "/service/type"],
    ["podUser: { runAsUser: 0 }", "/podUser/runAsUser"],
    ["watchNamespaces: [A_b]", "/watchNamespaces/0"],
    ["watchNamespaces: a", "/watchNamespaces"],
    ["image: { digest: abc }", "/image/digest"],
    ["topologySpreadConstraints: [{ maxSkew: 1, topologyKey: a }]", "whenUnsatisfiable"],
    ["controller: { resources: { limits: { memory: lots } } }", "/controller/resources/limits/memory"],
    ["controller: { adminPort: 9145 }", "controller.adminPort and proxy.adminPort must differ"],
    ["proxy: { httpPort: 9146 }", "proxy.httpPort must differ"],
    ["service: { enabled: false }", "nothing would reach the gateway"],
    ["autoscaling: { enabled: true, minReplicas: 11 }", "autoscaling.minReplicas is more"],
  ])("refuses %p, and says what is wrong", (values, told) => {
    const { code, err } = template(values);
    expect(code).not.toBe(0);
    expect(err).toContain(told);
  });

  test("takes `off` without quotes, which YAML 1.1 reads as false", () => {
    expect(container(render("proxy: { accessLog: off }"), "proxy").args).toContain("--access-log=off");
  });

  test("deploy/uwsgi-gateway.yaml is what the chart renders (make generate)", () => {
    const env = { ...process.env, HELM: findHelm() };
    const { stdout, stderr } = spawnSync("sh", [join(ROOT, "deploy", "render.sh"), "-"], {
      encoding: "utf8",
      env,
    });
    expect(stderr).toBe("");
    expect(readFileSync(join(ROOT, "deploy", "uwsgi-gateway.yaml"), "utf8")).toBe(stdout);
  });
}

if (findHelm() !== undefined) describe("the chart", suite);
else describe("the chart", () => test.skip("skipped: no helm here (make cluster-tools)", () => {}));
