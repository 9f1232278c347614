/**
 * Proves what goes over the wire to uWSGI (section 1 of the wire rules): one packet for each connection, the client's fields in their order, the
 * body right behind it (`vars.test.ts` has the vars themselves); and that a route cannot set the vars on which uWSGI loads code or opens files.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { BUN, REPOSITORY } from "../harness/gateway.ts";
import {
  type Gateway,
  latin1,
  type Nginx,
  rawExchange,
  type ScriptedUpstream,
  startGateway,
  startNginx,
  startScriptedUpstream,
  stopAll,
  temporaryFolder,
  type UwsgiPacket,
} from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { addRoute, forwardTo, routeManifest, routesPage } from "./routes.ts";
import { get, HOST, request } from "./side-by-side.ts";

afterAll(stopAll);

describeWith(["nginx"], "the packet", () => {
  let upstream: ScriptedUpstream;
  let both: readonly (Nginx | Gateway)[];
  const bodies: string[] = [];
  beforeAll(async () => {
    upstream = await startScriptedUpstream({
      script: async (connection) => {
        const packet = await connection.readPacket();
        bodies.push(latin1(await connection.readBytes(Number(packet.get("CONTENT_LENGTH") || 0))));
        await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        connection.end();
      },
    });
    both = await Promise.all([
      startNginx({
        serverName: HOST,
        server: `
          location / { include uwsgi_params; uwsgi_pass ${upstream.address}; }`,
      }),
      startGateway({
        manifests: {
          "site.json": routeManifest(HOST, [forwardTo(upstream.address)]),
        },
      }),
    ]);
  });

  /** What NGINX and the gateway make of it. */
  async function packets(send: string): Promise<UwsgiPacket[]> {
    const before = upstream.packets.length;
    for (const { port } of both) {
      expect((await rawExchange(port, send, { lingerMs: 0 })).response.status).toBe(200);
    }
    return upstream.packets.slice(before);
  }

  const names = (packet: UwsgiPacket) => packet.pairs.map(([name]) => name);

  test("holds the client's fields behind them, in the client's order — same", async () => {
    const send = get("/", "X-C: 3", "X-A: 1", "Accept: */*", "X-B: 2");
    for (const packet of await packets(send)) {
      const fields = names(packet).filter((name) => /^HTTP_(X_[ABC]|ACCEPT)$/.test(name));
      expect(fields).toEqual(["HTTP_X_C", "HTTP_X_A", "HTTP_ACCEPT", "HTTP_X_B"]);
    }
  });

  test("has modifiers 0 and 0 by default — same", async () => {
    for (const packet of await packets(get("/")))
      expect([packet.modifier1, packet.modifier2]).toEqual([0, 0]);
  });

  test("is followed by the body — same", async () => {
    bodies.length = 0;
    await packets(request("POST", "/", [], "a body"));
    expect(bodies).toEqual(["a body", "a body"]);
  });

  test("comes on a connection of its own, which is closed after the answer — same", async () => {
    for (const { port } of both) {
      const before = upstream.accepted();
      const answer = await rawExchange(port, get("/") + get("/") + get("/"), { until: { responses: 3 } });
      expect(answer.responses.map(({ status }) => status)).toEqual([200, 200, 200]);
      expect(upstream.accepted() - before).toBe(3);
    }
    expect(upstream.open()).toBe(0);
    expect(upstream.failures).toEqual([]);
  });
});

describe("vars that make uWSGI load code or open files", () => {
  const manifest = (params: Record<string, unknown>, host = HOST) =>
    routeManifest(host, [{ ...forwardTo("unix:/nowhere"), uwsgi: { params } }]);
  const check = (params: Record<string, unknown>, ...options: string[]) => {
    const file = join(temporaryFolder("check"), "site.json");
    writeFileSync(file, manifest(params));
    const command = [join(REPOSITORY, "cmd", "check.ts"), ...options, file];
    const { status, stdout } = spawnSync(BUN, command, { encoding: "utf8" });
    return { status, stdout };
  };

  for (const name of [
    "UWSGI_FILE",
    "UWSGI_MODULE",
    "UWSGI_CALLABLE",
    "UWSGI_POSTFILE",
    "UWSGI_SETENV",
    "UWSGI_HOME",
  ]) {
    test(`${name}: check refuses it, and names the field`, () => {
      const { status, stdout } = check({ [name]: "/tmp/evil" });
      expect(status).toBe(1);
      expect(stdout).toContain(`spec.rules[0].uwsgi.params.${name}`);
    });
  }

  test("UWSGI_SCRIPT: refused unless the administrator allows it", () => {
    expect(check({ UWSGI_SCRIPT: "app" }).status).toBe(1);
    expect(check({ UWSGI_SCRIPT: "app" }, "--allow-uwsgi-script").status).toBe(0);
  });

  test("UWSGI_SCHEME and UWSGI_APPID: open", () => {
    expect(check({ UWSGI_SCHEME: "$scheme", UWSGI_APPID: "a" }).status).toBe(0);
  });

  test("in a gateway that runs: the route stays as it was, and /routes says why", async () => {
    const upstream = await startScriptedUpstream({
      script: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    });
    const gateway = await startGateway({ manifests: {} });
    await addRoute(gateway, HOST, [forwardTo(upstream.address)]);
    const evil = forwardTo(upstream.address, { uwsgi: { params: { UWSGI_FILE: "/tmp/evil.py" } } });
    writeFileSync(join(gateway.manifestsFolder, `${HOST}.json`), routeManifest(HOST, [evil]));
    const until = performance.now() + 3_000;
    let problems: string;
    do {
      await new Promise((resolve) => setTimeout(resolve, 20));
      problems = JSON.stringify((await routesPage(gateway)).problems);
    } while (!problems.includes("UWSGI_FILE") && performance.now() < until);
    expect(problems).toContain("UWSGI_FILE");
    expect((await rawExchange(gateway.port, get("/"))).response.status).toBe(200);
    expect(upstream.packets.at(-1)!.get("UWSGI_FILE")).toBeUndefined();
  });

  test("a client's field cannot become one", async () => {
    const upstream = await startScriptedUpstream({
      script: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    });
    const gateway = await startGateway({
      manifests: { "site.json": routeManifest(HOST, [forwardTo(upstream.address)]) },
    });
    await rawExchange(gateway.port, get("/", "UWSGI_FILE: /tmp/evil.py", "UWSGI-File: /tmp/evil.py"));
    const names = upstream.packets[0]!.pairs.map(([name]) => name);
    expect(names.filter((name) => /^UWSGI_/.test(name))).toEqual([]);
    expect(names).toContain("HTTP_UWSGI_FILE");
  });
});
