/**
 * Proves that the examples in deploy/ parse, that the gateway understands what is for it, also inside a ConfigMap, that their pods are restricted and
 * their names refer to each other, and that sidecar and app stop in an order that loses no request.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stopAll, temporaryFolder } from "../harness/cleanup.ts";
import { documents, type Manifest, only, ROOT } from "./helm.ts";
import { restrictedFaults } from "./pod-security.ts";

const EXAMPLES = join(ROOT, "deploy", "examples");
const NAMES = readdirSync(EXAMPLES).filter((name) => name.endsWith(".yaml"));
const BIN = join(ROOT, "node_modules", ".bin");

afterAll(stopAll);

function example(name: string): Manifest[] {
  return documents(readFileSync(join(EXAMPLES, name), "utf8"));
}

function check(path: string): { code: number | null; out: string } {
  const { status, stdout, stderr } = spawnSync(join(BIN, "node"), [join(ROOT, "cmd", "check.ts"), path], {
    encoding: "utf8",
  });
  return { code: status, out: stdout + stderr };
}

/** `10s` of `--drain-delay=10s`, in seconds. */
function seconds(args: readonly string[], option: string): number {
  const value = args.find((each) => each.startsWith(`${option}=`))?.slice(option.length + 1) ?? "";
  if (!/^\d+s?$/.test(value)) throw new Error(`${option} is ${value}`);
  return Number.parseInt(value, 10);
}

test("all are here", () => {
  expect(NAMES.sort()).toEqual([
    "django.yaml",
    "networkpolicy-app.yaml",
    "sidecar-shorthand.yaml",
    "sidecar.yaml",
  ]);
});

describe.each(NAMES)("%s", (name) => {
  const objects = example(name);

  test("the gateway has no complaint about it, nor about manifests in its ConfigMaps", () => {
    expect(check(join(EXAMPLES, name))).toMatchObject({ code: 0 });
    for (const { data, metadata } of objects.filter((each) => each.kind === "ConfigMap")) {
      const folder = join(temporaryFolder("examples"), metadata.name);
      mkdirSync(folder);
      for (const [file, content] of Object.entries<string>(data)) writeFileSync(join(folder, file), content);
      expect(check(folder)).toEqual({
        code: 0,
        out: "ok: 1 objects, 1 route object of our class, 2 rules\n",
      });
    }
  });

  test("pods are restricted, and what selects them, or is mounted or probed in them, is there", () => {
    for (const { spec } of objects.filter((each) => each.kind === "Deployment")) {
      const pod = spec.template.spec;
      expect(restrictedFaults(pod)).toEqual([]);
      const labels = spec.template.metadata.labels;
      expect(labels).toMatchObject(spec.selector.matchLabels);
      expect(labels).toMatchObject(only(objects, "Service").spec.selector);
      expect(labels).toMatchObject(only(objects, "PodDisruptionBudget").spec.selector.matchLabels);
      const containers = [...(pod.initContainers ?? []), ...pod.containers];
      const volumes = pod.volumes.map((each: Manifest) => each.name);
      const mounts = containers.flatMap((each: Manifest) =>
        each.volumeMounts.map((mount: Manifest) => mount.name),
      );
      expect([...new Set(mounts)].sort()).toEqual(volumes.sort());
      const ports = containers.flatMap((each: Manifest) =>
        (each.ports ?? []).map((port: Manifest) => port.name),
      );
      for (const { targetPort } of only(objects, "Service").spec.ports) expect(ports).toContain(targetPort);
    }
  });
});

describe.each(["django.yaml", "sidecar.yaml", "sidecar-shorthand.yaml"])("uWSGI in %s", (name) => {
  const pod = only(example(name), "Deployment").spec.template.spec;
  const [uwsgi] = pod.containers;

  test("goes on until the endpoint is out of use, then finishes its requests, and all before SIGKILL", () => {
    expect(uwsgi.args).toContain("--hook-master-start=unix_signal:15 gracefully_kill_them_all");
    expect(uwsgi.args).not.toContain("--die-on-term");
    const stop = uwsgi.lifecycle.preStop.sleep.seconds + seconds(uwsgi.args, "--worker-reload-mercy");
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(stop);
  });
});

describe.each(["sidecar.yaml", "sidecar-shorthand.yaml"])("the sidecar of %s", (name) => {
  const pod = only(example(name), "Deployment").spec.template.spec;
  const [uwsgi] = pod.containers;
  const sidecar = pod.initContainers.find((each: Manifest) => each.restartPolicy === "Always");
  const socket = "/run/uwsgi/app.sock";

  test("comes after the static files, and starts without the app but is not ready without it", () => {
    expect(pod.initContainers.map((each: Manifest) => each.name)).toEqual(["collectstatic", "gateway"]);
    expect(sidecar.startupProbe.httpGet.path).toBe("/healthz");
    expect(sidecar.readinessProbe.httpGet.path).toBe("/readyz");
    expect(sidecar.args).toContain("--ready-uwsgi");
  });

  test("takes no new request before uWSGI takes none, and ends before SIGKILL", () => {
    const delay = seconds(sidecar.args, "--drain-delay");
    expect(uwsgi.lifecycle.preStop.sleep.seconds).toBeGreaterThan(delay);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(
      delay + seconds(sidecar.args, "--drain-timeout"),
    );
    expect(sidecar.lifecycle.preStop.exec.command.join(" ")).toContain('process.kill(1, "SIGTERM")');
  });

  test("meets uWSGI at its socket, and the collected files", () => {
    expect(uwsgi.args).toContain(`--socket=${socket}`);
    const text = readFileSync(join(EXAMPLES, name), "utf8");
    expect(text).toContain(`unix:${socket}`);
    const mount = (container: Manifest, volume: string) =>
      container.volumeMounts.find((each: Manifest) => each.name === volume)?.mountPath;
    for (const container of [uwsgi, sidecar]) expect(mount(container, "uwsgi-socket")).toBe("/run/uwsgi");
    expect(mount(sidecar, "static")).toBe("/srv/static");
    const [collect] = pod.initContainers;
    const state = collect.env.find((each: Manifest) => each.name === "DEMO_STATE").value;
    expect(mount(collect, "static")).toBe(`${state}/static`);
  });
});

test("the app's NetworkPolicy lets in the gateway's pods to uWSGI's port, and is for the example's app", () => {
  const { spec, metadata } = only(example("networkpolicy-app.yaml"), "NetworkPolicy");
  const app = example("django.yaml");
  expect(metadata.namespace).toBe(only(app, "Deployment").metadata.namespace);
  expect(only(app, "Deployment").spec.template.metadata.labels).toMatchObject(spec.podSelector.matchLabels);
  expect(spec.ingress[0].ports[0].port).toBe(only(app, "Service").spec.ports[0].port);
  const gateway = documents(readFileSync(join(ROOT, "deploy", "uwsgi-gateway.yaml"), "utf8"));
  const [peer] = spec.ingress[0].from;
  expect(only(gateway, "Deployment").spec.template.metadata.labels).toMatchObject(
    peer.podSelector.matchLabels,
  );
  expect(peer.namespaceSelector.matchLabels).toEqual({
    "kubernetes.io/metadata.name": only(gateway, "Deployment").metadata.namespace,
  });
});

test("--buffer-size is what the route says", () => {
  const [routes, ...rest] = example("sidecar.yaml");
  const [route] = documents(routes.data["route.yaml"]);
  const [uwsgi] = only(rest, "Deployment").spec.template.spec.containers;
  const bytes = route.spec.rules.find((each: Manifest) => each.uwsgi)?.uwsgi.bufferSize;
  expect(uwsgi.args).toContain(`--buffer-size=${bytes}`);
});

interface Start {
  readonly main: string;
  readonly options: readonly string[];
}

/** What a container starts, and the names of the options that it gives to it; `undefined` where it is the app's. */
function started(container: Manifest): Start | undefined {
  const main = container.command?.find((word: string) => word.startsWith("/app/cmd/"));
  if (main === undefined) return undefined;
  return {
    main: main.slice("/app/".length),
    options: container.args.map((each: string) => each.split("=")[0]!),
  };
}

function startsOf(main: string): Start[] {
  const deployed = documents(readFileSync(join(ROOT, "deploy", "uwsgi-gateway.yaml"), "utf8"));
  return [...NAMES.flatMap(example), ...deployed]
    .filter((each) => each.kind === "Deployment")
    .map((each) => each.spec.template.spec)
    .flatMap((pod) => [...(pod.initContainers ?? []), ...pod.containers])
    .map(started)
    .filter((each) => each?.main === main) as Start[];
}

describe.each([
  { main: "cmd/proxy.ts", runtime: "bun", starts: 3 },
  { main: "cmd/controller.ts", runtime: "node", starts: 1 },
])("$main", ({ main, runtime, starts }) => {
  const isThere = existsSync(join(ROOT, main));
  const name = "knows every option that a manifest gives to it";
  test.skipIf(!isThere)(isThere ? name : `skipped: ${main} is not there yet`, () => {
    const found = startsOf(main);
    expect(found).toHaveLength(starts);
    const { stdout } = spawnSync(join(BIN, runtime), [join(ROOT, main), "--help"], { encoding: "utf8" });
    const isKnown = (option: string) => new RegExp(`^ +${option}[ \n]`, "m").test(stdout);
    for (const { options } of found) expect(options.filter((option) => !isKnown(option))).toEqual([]);
  });
});
