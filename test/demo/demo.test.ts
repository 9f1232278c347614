/**
 * Proves that `make demo`'s runner serves each kind of page through the gateway (a form with CSRF, the admin, an upload, a stream, a
 * WebSocket, a file), says so when a port is taken, and leaves nothing behind when it is stopped.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, type RunningProcess, startProcess, stopAll } from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { ADMIN_LOGIN } from "./django-site.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const START_TIMEOUT_MS = 60_000;

afterAll(stopAll);

function startDemo(httpPort: number, adminPort: number): RunningProcess {
  return startProcess({
    name: "demo",
    command: [join(ROOT, "node_modules", ".bin", "node"), join(import.meta.dirname, "run.ts")],
    cwd: ROOT,
    env: { DEMO_HTTP_PORT: String(httpPort), DEMO_ADMIN_PORT: String(adminPort) },
    stopTimeoutMs: 10_000,
  });
}

/** A browser's share of work: keeps cookies, follows no redirects, and fills in the form's token. */
class Visitor {
  readonly base: string;
  readonly cookies = new Map<string, string>();

  constructor(base: string) {
    this.base = base;
  }

  async fetch(
    path: string,
    init: { method?: string; body?: FormData | URLSearchParams } = {},
  ): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(this.base + path, { ...init, redirect: "manual", headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      this.cookies.set(name!, value!);
    }
    return response;
  }

  async formToken(path: string): Promise<string> {
    const page = await (await this.fetch(path)).text();
    const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(page)?.[1];
    if (token === undefined) throw new Error(`no form in ${page}`);
    return token;
  }
}

describeWith(["uwsgi"], "the demo", () => {
  let demo: RunningProcess;
  let base: string;
  let admin: string;
  let ports: readonly [number, number];

  beforeAll(async () => {
    ports = [await freePort(), await freePort()];
    base = `http://127.0.0.1:${ports[0]}`;
    admin = `http://127.0.0.1:${ports[1]}`;
    demo = startDemo(...ports);
    await demo.waitForLine(/^Ctrl-C stops everything/, START_TIMEOUT_MS);
  }, START_TIMEOUT_MS);

  test("the address of the site leads to its first page", async () => {
    const response = await new Visitor(base).fetch("/");
    expect([response.status, response.headers.get("location")]).toEqual([302, "/main/"]);
  });

  test("a form with a CSRF token is accepted, and one without it is not", async () => {
    const visitor = new Visitor(base);
    const token = await visitor.formToken("/main/");
    const body = new URLSearchParams({ csrfmiddlewaretoken: token, name: "Zoë", text: "hello & goodbye" });
    expect((await visitor.fetch("/main/", { method: "POST", body })).status).toBe(302);
    expect(await (await visitor.fetch("/main/")).text()).toContain("<b>Zoë</b> hello &amp; goodbye");
    expect((await new Visitor(base).fetch("/main/", { method: "POST", body })).status).toBe(403);
  });

  test("the admin can log in and sees the guest book's entries", async () => {
    const visitor = new Visitor(base);
    const body = new URLSearchParams({
      csrfmiddlewaretoken: await visitor.formToken("/admin/login/"),
      username: ADMIN_LOGIN.name,
      password: ADMIN_LOGIN.password,
    });
    const login = await visitor.fetch("/admin/login/?next=/admin/", { method: "POST", body });
    expect([login.status, login.headers.get("location")]).toEqual([302, "/admin/"]);
    const list = await visitor.fetch("/admin/myapp/entry/");
    expect(list.status).toBe(200);
    expect(await list.text()).toContain("Select entry to change");
  });

  test("a file of some megabytes arrives whole", async () => {
    const visitor = new Visitor(base);
    const content = Buffer.alloc(3_000_000, "0123456789abcdef!");
    const body = new FormData();
    body.set("csrfmiddlewaretoken", await visitor.formToken("/main/upload"));
    body.set("file", new File([content], "data.bin"));
    const response = await visitor.fetch("/main/upload", { method: "POST", body });
    expect(await response.json()).toEqual({
      files: [
        { name: "data.bin", size: 3_000_000, sha256: createHash("sha256").update(content).digest("hex") },
      ],
    });
  });

  test("the parameters of the NGINX guide reach the app, and forged ones do not", async () => {
    const headers = { "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https" };
    const answer = (await (await fetch(`${base}/main/request?a=1`, { headers })).json()) as {
      vars: Record<string, string>;
      secure: boolean;
    };
    expect(answer.vars).toMatchObject({
      Host: "127.0.0.1",
      "X-Real-IP": "127.0.0.1",
      "X-Forwarded-For": "127.0.0.1",
      "X-Forwarded-Proto": "http",
      QUERY_STRING: "a=1",
      PATH_INFO: "/main/request",
    });
    expect(answer.secure).toBe(false);
  });

  test("server-sent events come one by one, not all at the end", async () => {
    const response = await fetch(`${base}/main/events?count=3&interval=0.3`);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const arrivals: number[] = [];
    let text = "";
    for await (const chunk of response.body!) {
      arrivals.push(performance.now());
      text += Buffer.from(chunk).toString();
    }
    expect(text.match(/^data: /gm)?.length).toBe(3);
    expect(arrivals.at(-1)! - arrivals[0]!).toBeGreaterThan(300);
  });

  test("a slow answer takes the time it was told to", async () => {
    const start = performance.now();
    expect((await fetch(`${base}/main/slow?seconds=0.4`)).status).toBe(200);
    expect(performance.now() - start).toBeGreaterThan(400);
  });

  test("a WebSocket goes through uWSGI", async () => {
    const socket = new WebSocket(`${base.replace("http", "ws")}/main/socket`);
    const answer = new Promise((resolve, reject) => {
      socket.onmessage = (event) => resolve(event.data);
      socket.onerror = () => reject(new Error("the WebSocket failed"));
    });
    socket.onopen = () => socket.send("hello");
    expect(Buffer.from((await answer) as ArrayBuffer).toString()).toBe("you said: hello");
    socket.close();
  });

  test("static files come with a type and can be revalidated", async () => {
    const file = await fetch(`${base}/static/myapp/style.css`);
    expect([file.status, file.headers.get("content-type")]).toEqual([
      200,
      expect.stringContaining("text/css"),
    ]);
    const sources = join(import.meta.dirname, "project/myapp/static/myapp/style.css");
    expect(await file.text()).toBe(readFileSync(sources, "utf8"));
    const headers = { "If-None-Match": file.headers.get("etag")! };
    expect((await fetch(`${base}/static/myapp/style.css`, { headers })).status).toBe(304);
    expect((await fetch(`${base}/static/admin/css/base.css`)).status).toBe(200);
  });

  test("the gateway's own pages tell of the route", async () => {
    expect(await (await fetch(`${admin}/routes`)).text()).toContain("UwsgiRoute/web/myapp");
    expect((await fetch(`${admin}/metrics`)).status).toBe(200);
  });

  test("a port that is taken is told, with the variable that chooses another", async () => {
    const second = startDemo(ports[0], await freePort());
    expect((await second.exited).code).toBe(1);
    expect(second.lines.join("\n")).toContain(`Port ${ports[0]} is in use`);
    expect(second.lines.join("\n")).toContain(`DEMO_HTTP_PORT=${ports[0] + 10} make demo`);
  });

  test("Ctrl-C ends it with status 0, and nothing is left", async () => {
    const manifests = /^Manifests, .*: (\/.*)$/.exec(
      demo.lines.find((line) => line.startsWith("Manifests,"))!,
    )![1]!;
    expect(existsSync(manifests)).toBe(true);
    demo.signal("SIGINT");
    expect(await demo.exited).toEqual({ code: 0, signal: null });
    expect(existsSync(manifests)).toBe(false);
    await expect(fetch(base)).rejects.toThrow();
  });
});
