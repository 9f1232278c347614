/**
 * Proves the feed over TCP between the real controller (Node) and the real proxy (Bun): both ends show a certificate and look at the other's. Whoever has
 * none, or one of somebody else, is turned away, and both logs say why. New certificates need no restart.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { stopAll, temporaryFolder } from "../harness/cleanup.ts";
import { BUN, REPOSITORY } from "../harness/gateway.ts";
import { freePort } from "../harness/ports.ts";
import { type RunningProcess, startProcess, waitUntil } from "../harness/processes.ts";
import { type CertificateAuthority, type CertificateFiles, createAuthority } from "./harness/certificates.ts";
import { ROUTES } from "./harness/chart-gateway.ts";
import { type ApiServer, startApiServer } from "./harness/index.ts";
import { describeCluster } from "./harness/suite.ts";

const NODE = join(REPOSITORY, "node_modules", ".bin", "node");
const START_LIMIT_MS = 90_000;
const LIMIT_MS = 60_000;
const WAIT_MS = 20_000;

let server: ApiServer;
let folder: string;
let authority: CertificateAuthority;
let others: CertificateAuthority;
/** What the controller shows; these files are replaced. */
let shown: CertificateFiles;
let client: CertificateFiles;
let feedPort: number;
let controller: RunningProcess;

afterAll(stopAll, 60_000);

interface Proxy {
  readonly process: RunningProcess;
  readonly admin: string;
}

/** `localhost`, for its name in the certificate. */
async function startProxy(files: CertificateFiles, ca: string, host = "localhost"): Promise<Proxy> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const process = startProcess({
    name: "proxy",
    command: [
      ...[BUN, join(REPOSITORY, "cmd", "proxy.ts"), "--feed", `${host}:${feedPort}`],
      ...["--feed-tls-cert", files.certificate, "--feed-tls-key", files.key, "--feed-tls-ca", ca],
      ...["--http", `127.0.0.1:${port}`, "--admin", `127.0.0.1:${adminPort}`],
    ],
  });
  await process.waitForLine(/"admin":/);
  return { process, admin: `http://127.0.0.1:${adminPort}` };
}

async function page(proxy: Proxy, path: string): Promise<string> {
  return (await fetch(`${proxy.admin}${path}`)).text();
}

function until(proxy: Proxy, what: string, attempt: () => Promise<boolean>): Promise<true> {
  return waitUntil(async () => (await attempt()) || undefined, proxy.process, what, WAIT_MS);
}

const hasHost = (proxy: Proxy, host: string) =>
  until(proxy, host, async () => (await page(proxy, "/routes")).includes(`"${host}"`));
const isConnected = async (proxy: Proxy) =>
  (await page(proxy, "/metrics")).includes("\nuwsgi_gateway_feed_connected 1\n");

async function applyRoute(name: string): Promise<void> {
  await server.apply(`${ROUTES}/namespaces/default/uwsgiroutes/${name}`, {
    ...{
      apiVersion: "uwsgi-gateway.io/v1alpha1",
      kind: "UwsgiRoute",
      metadata: { name, namespace: "default" },
    },
    spec: {
      ...{ ingressClassName: "uwsgi", hostnames: [`${name}.test`] },
      rules: [{ backendRefs: [{ name: "django", port: 29000 }] }],
    },
  });
}

/** Handshakes, lines of the controller's log, from here on. */
function turnedAway(): () => string[] {
  const from = controller.lines.length;
  return () => controller.lines.slice(from).filter((line) => line.includes("a proxy was turned away"));
}

async function reasonOf(refused: () => string[]): Promise<string> {
  const line = await waitUntil(() => refused()[0], controller, "a proxy turned away", WAIT_MS);
  return JSON.parse(line).reason;
}

describeCluster("the feed over TCP", () => {
  beforeAll(async () => {
    server = await startApiServer();
    await server.kubectl(["apply", "-f", join(REPOSITORY, "charts/uwsgi-gateway/crds")]);
    await server.kubectl(["wait", "--for=condition=Established", "crd/uwsgiroutes.uwsgi-gateway.io"]);
    await server.kubectl(["apply", "-f", "-"], {
      input: `
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: uwsgi }
spec: { controller: uwsgi-gateway.io/ingress-controller }
`,
    });
    folder = temporaryFolder("feed-tls");
    authority = await createAuthority(folder, "feed-ca");
    others = await createAuthority(folder, "others-ca");
    shown = await authority.issueServer("controller", ["DNS:localhost"]);
    client = await authority.issueClient("proxy", []);
    feedPort = await freePort();
    const adminPort = await freePort();
    controller = startProcess({
      name: "controller",
      command: [
        ...[NODE, join(REPOSITORY, "cmd", "controller.ts"), "--kubeconfig", server.kubeconfig],
        ...["--feed", `127.0.0.1:${feedPort}`, "--admin", `127.0.0.1:${adminPort}`],
        ...["--feed-tls-cert", shown.certificate, "--feed-tls-key", shown.key],
        ...["--feed-tls-ca", authority.certificate],
      ],
    });
    await applyRoute("first");
    await controller.waitForLine(/following the cluster/, WAIT_MS);
  }, START_LIMIT_MS);

  test(
    "with the right certificates a proxy gets the table, and what changes",
    async () => {
      const refused = turnedAway();
      const proxy = await startProxy(client, authority.certificate);
      await hasHost(proxy, "first.test");
      await applyRoute("second");
      await hasHost(proxy, "second.test");
      expect((await fetch(`${proxy.admin}/readyz`)).status).toBe(200);
      expect(await isConnected(proxy)).toBe(true);
      expect(refused()).toEqual([]);
      await proxy.process.stop();
    },
    LIMIT_MS,
  );

  test(
    "a proxy with another authority's certificate is turned away, and does not hammer",
    async () => {
      const refused = turnedAway();
      const stranger = await others.issueClient("stranger", []);
      const proxy = await startProxy(stranger, authority.certificate);
      expect(await reasonOf(refused)).toMatch(
        /its certificate is not trusted: UNABLE_TO_VERIFY_LEAF_SIGNATURE/,
      );
      await Bun.sleep(3_000);
      expect(await isConnected(proxy)).toBe(false);
      expect((await fetch(`${proxy.admin}/readyz`)).status).toBe(503);
      // 50, 100, 200 ms and so on: in 3 s no more than these.
      expect(refused().length).toBeLessThan(12);
      expect(proxy.process.lines.filter((line) => line.includes("first.test"))).toEqual([]);
      await proxy.process.stop();
    },
    LIMIT_MS,
  );

  test(
    "who shows no certificate, or speaks no TLS, is turned away",
    async () => {
      const refused = turnedAway();
      const ended = (socket: ReturnType<typeof connect>) =>
        new Promise<string>((resolve) => {
          let got = "";
          socket.on("data", (bytes: Buffer) => (got += bytes.toString("latin1")));
          socket.on("error", () => {});
          socket.on("close", () => resolve(got));
        });
      const target = {
        host: "127.0.0.1",
        port: feedPort,
        servername: "localhost",
        rejectUnauthorized: false,
      };
      expect(await ended(connect(target))).toBe("");
      expect(await reasonOf(refused)).toMatch(/did not return a certificate/);
      expect(await Bun.fetch(`http://127.0.0.1:${feedPort}/`).catch((error: Error) => error)).toBeInstanceOf(
        Error,
      );
      await waitUntil(() => refused()[1], controller, "another turned away", WAIT_MS);
    },
    LIMIT_MS,
  );

  test(
    "without the three files neither end starts",
    async () => {
      const words = ["--feed", `localhost:${feedPort}`, "--feed-tls-ca", authority.certificate];
      for (const command of [
        [BUN, join(REPOSITORY, "cmd", "proxy.ts")],
        [NODE, join(REPOSITORY, "cmd", "controller.ts")],
      ]) {
        const child = startProcess({ name: "main", command: [...command, ...words] });
        expect(await child.exited).toEqual({ code: 2, signal: null });
        expect(child.lines.join("\n")).toContain("needs --feed-tls-cert, --feed-tls-key and --feed-tls-ca");
      }
    },
    LIMIT_MS,
  );

  test(
    "a proxy turns away a controller of another authority, or of another name",
    async () => {
      for (const [ca, host, reason] of [
        [others.certificate, "localhost", /certificate|issuer/i],
        [authority.certificate, "127.0.0.1", /altname|ip|hostname/i],
      ] as const) {
        const proxy = await startProxy(client, ca, host);
        const line = await proxy.process.waitForLine(/"reason":/, WAIT_MS);
        expect(JSON.parse(line).reason).toMatch(reason);
        await Bun.sleep(500);
        expect(await isConnected(proxy)).toBe(false);
        expect((await fetch(`${proxy.admin}/readyz`)).status).toBe(503);
        await proxy.process.stop();
      }
    },
    LIMIT_MS,
  );

  test(
    "a renewed certificate of the controller is shown without a restart",
    async () => {
      const renewed = await others.issueServer("renewed", ["DNS:localhost"]);
      copyFileSync(renewed.certificate, shown.certificate);
      copyFileSync(renewed.key, shown.key);
      const proxy = await startProxy(client, others.certificate);
      await hasHost(proxy, "second.test");
      expect(await isConnected(proxy)).toBe(true);
    },
    LIMIT_MS,
  );
});
