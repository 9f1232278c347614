/**
 * Proves the sidecar's shorthand with a real uWSGI: one app and its files without a manifest, readiness that follows uWSGI, and
 * what is said where the options do not fit.
 */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BUN, REPOSITORY } from "../harness/gateway.ts";
import {
  freePort,
  type RunningProcess,
  startProcess,
  startUwsgi,
  stopAll,
  temporaryFolder,
  waitUntil,
} from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";

afterAll(stopAll);

interface Sidecar {
  readonly process: RunningProcess;
  get(path: string): Promise<[number, string]>;
  readiness(): Promise<[number, string]>;
}

async function startSidecar(...words: string[]): Promise<Sidecar> {
  const [port, admin] = [await freePort(), await freePort()];
  const process = startProcess({
    name: "sidecar",
    command: [
      ...[BUN, join(REPOSITORY, "cmd", "proxy.ts"), "--http", `127.0.0.1:${port}`],
      ...["--admin", `127.0.0.1:${admin}`, ...words],
    ],
    cwd: REPOSITORY,
  });
  const ask = async (at: number, path: string): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${at}${path}`);
    return [response.status, await response.text()];
  };
  return {
    process,
    get: (path) => ask(port, path),
    readiness: () => ask(admin, "/readyz"),
  };
}

function until<T>(sidecar: Sidecar, what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  return waitUntil(() => attempt().catch(() => undefined), sidecar.process, what, 10_000);
}

const APP = `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [(environ["HTTP_HOST"] + environ["PATH_INFO"]).encode()]
`;

describeWith(["uwsgi"], "a sidecar", () => {
  test("serves an app and its files, and is ready only while uWSGI answers", async () => {
    const folder = temporaryFolder("sidecar");
    const socket = join(folder, "app.sock");
    mkdirSync(join(folder, "static"));
    writeFileSync(join(folder, "static", "site.css"), "body {}");
    const sidecar = await startSidecar(
      ...["--uwsgi", `unix:${socket}`, "--static", `/static/=${join(folder, "static")}`, "--ready-uwsgi"],
    );
    const why = await until(sidecar, "503", async () => {
      const [status, text] = await sidecar.readiness();
      return status === 503 && text.includes("uWSGI") ? text : undefined;
    });
    expect(why).toContain(socket);
    expect((await sidecar.get("/static/site.css"))[1]).toBe("body {}");

    const uwsgi = await startUwsgi({ app: APP, options: ["--socket", socket] });
    await until(sidecar, "readiness", async () =>
      (await sidecar.readiness())[0] === 200 ? true : undefined,
    );
    expect(await sidecar.get("/main")).toEqual([200, expect.stringMatching(/^127\.0\.0\.1:\d+\/main$/)]);
    expect((await sidecar.get("/static/none.css"))[0]).toBe(404);

    await uwsgi.stop();
    await until(sidecar, "no readiness", async () =>
      (await sidecar.readiness())[0] === 503 ? true : undefined,
    );
    expect(await sidecar.process.stop()).toEqual({ code: 0, signal: null });
  });

  test("over TCP", async () => {
    const uwsgi = await startUwsgi({ app: APP, socket: "tcp", processes: 2 });
    const sidecar = await startSidecar("--uwsgi", uwsgi.address, "--ready-uwsgi");
    await until(sidecar, "readiness", async () =>
      (await sidecar.readiness())[0] === 200 ? true : undefined,
    );
    expect((await sidecar.get("/x"))[0]).toBe(200);
  });
});

test.each([
  ["--uwsgi", ["--uwsgi", "not an address"]],
  ["--static", ["--uwsgi", "unix:/run/app.sock", "--static", "static=/srv"]],
  ["--manifests", []],
])("a mistake names %s, and is exit 2", async (option, words) => {
  const { process } = await startSidecar(...words);
  expect((await process.exited).code).toBe(2);
  expect(process.lines.join("\n")).toContain(option);
});
