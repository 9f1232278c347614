/**
 * Proves over plain HTTP, against a server that fails on demand, what `api.ts` promises: pages, watches and their ends, errors with
 * status, reason and Retry-After, time limits, and that no message holds a secret. What needs TLS is in `client-tls.test.ts`.
 */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeKubeconfig } from "../../test/cluster/fake-api/kubeconfig.ts";
import { type FakeApi, startFakeApi } from "../../test/cluster/fake-api/server.ts";
import { onStopAll, stopAll, temporaryFolder } from "../../test/harness/cleanup.ts";
import { KubeError, type KubeObject, UNREADABLE, type WatchEvent } from "./api.ts";
import { type ClientLimits, createKubeClient, type KubeClient } from "./client.ts";
import { KubeConfigError } from "./config.ts";

afterAll(stopAll);

const SERVICES = "/api/v1/services";
const NEVER = new AbortController().signal;
const TOKEN = "secret-token-0123456789";

let stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.reverse()) await stop();
  stops = [];
});

async function start(limits: Partial<ClientLimits> = {}, token?: string) {
  const api = await startFakeApi();
  stops.push(onStopAll(() => api.stop()));
  const kubeconfig = writeKubeconfig({ server: api.url, ...(token === undefined ? {} : { token }) });
  const client = createKubeClient({ kubeconfig, limits, random: () => 0.5 });
  stops.push(onStopAll(() => client.close()));
  return { api, client };
}

function service(name: string, port = 80) {
  const metadata = { name, namespace: "web" };
  return { apiVersion: "v1", kind: "Service", metadata, spec: { ports: [{ port }] } };
}

function names(objects: readonly KubeObject[]): string[] {
  return objects.map(({ metadata }) => metadata.name);
}

async function failure(promise: Promise<unknown>): Promise<KubeError> {
  try {
    await promise;
  } catch (error) {
    expect(error).toBeInstanceOf(KubeError);
    return error as KubeError;
  }
  throw new Error("did not fail");
}

describe("a list", () => {
  test("is read page by page, with one version, over one connection", async () => {
    const { api, client } = await start({ pageSize: 2 });
    for (const name of ["a", "b", "c", "d", "e"]) api.apply(service(name));
    const version = api.store.version;
    const list = await client.list(SERVICES, {}, NEVER);
    expect(names(list.items)).toEqual(["a", "b", "c", "d", "e"]);
    expect(list.resourceVersion).toBe(String(version));
    expect(api.requests.map(({ query }) => query["limit"])).toEqual(["2", "2", "2"]);
    expect(new Set(api.requests.map(({ clientPort }) => clientPort)).size).toBe(1);
  });

  test("begins anew where the server forgets it midway", async () => {
    const { api, client } = await start({ pageSize: 2 });
    for (const name of ["a", "b", "c"]) api.apply(service(name));
    const steps: string[] = [];
    const pages = {
      begin: () => void steps.push("begin"),
      page: (items: readonly KubeObject[]) => {
        steps.push(names(items).join());
        if (steps.length > 2) return;
        api.remove(service("a"));
        api.compact();
      },
    };
    const version = await client.listPages(SERVICES, {}, pages, NEVER);
    expect(steps).toEqual(["begin", "a,b", "begin", "b,c"]);
    expect(version).toBe(String(api.store.version));
  });

  test("is given up where the server forgets it again and again", async () => {
    const { api, client } = await start({ maxListAttempts: 2 });
    api.fault({ verb: "list" }, { type: "status", status: 410, reason: "Expired" }, 5);
    expect(await failure(client.list(SERVICES, {}, NEVER))).toMatchObject({ status: 410, reason: "Expired" });
    expect(api.requests.length).toBe(2);
  });

  test("is bounded in objects, in bytes, and where pages never end", async () => {
    const { api, client } = await start({ maxListObjects: 3, maxAnswerBytes: 2_000, pageSize: 1 });
    const endless = JSON.stringify({ metadata: { resourceVersion: "5", continue: "more" }, items: [] });
    api.fault({ verb: "list" }, { type: "text", text: endless }, 100);
    expect((await failure(client.list(SERVICES, {}, NEVER))).message).toContain("over 3 objects");
    expect(api.requests.length).toBe(4);
    api.faults.clear();
    api.fault({ verb: "list" }, { type: "text", text: `${endless}${" ".repeat(2_000)}` });
    expect(await failure(client.list(SERVICES, {}, NEVER))).toMatchObject({ status: 0, reason: UNREADABLE });
  });

  for (const text of ["<html>", "{}", '{"metadata":{"resourceVersion":"1"},"items":[{}]}', "null"]) {
    test(`that is ${text} is refused, and not quoted`, async () => {
      const { api, client } = await start();
      api.fault({ verb: "list" }, { type: "text", text });
      const error = await failure(client.list(SERVICES, {}, NEVER));
      expect(error).toMatchObject({ status: 0, reason: UNREADABLE });
      expect(error.message).toStartWith("GET /api/v1/services: the answer is not");
    });
  }
});

describe("a watch", () => {
  async function watching(limits: Partial<ClientLimits> = {}) {
    const { api, client } = await start(limits);
    const events: string[] = [];
    const stop = new AbortController();
    let isOpen = false;
    let wake = () => {};
    const onEvent = (event: WatchEvent) => {
      const said = event.type === "BOOKMARK" ? event.resourceVersion : event.object.metadata.name;
      events.push(`${event.type} ${said}`);
      wake();
    };
    const query = { resourceVersion: String(api.store.version) };
    const ended = client.watch(SERVICES, query, onEvent, stop.signal, () => (isOpen = true));
    ended.catch(() => undefined);
    await api.until(() => api.watches().length === 1);
    const until = async (count: number) => {
      while (events.length < count) await new Promise<void>((resolve) => (wake = resolve));
    };
    return { api, client, events, ended, stop, until, opened: () => isOpen, watch: api.watches()[0]! };
  }

  test("tells events and bookmarks, and resolves at the server's end", async () => {
    const { api, events, ended, until, opened, watch } = await watching();
    api.apply(service("a"));
    api.apply(service("a", 81));
    watch.bookmark();
    api.remove(service("a"));
    await until(4);
    expect(opened()).toBe(true);
    const version = api.store.version;
    expect(events).toEqual(["ADDED a", "MODIFIED a", `BOOKMARK ${version - 1}`, "DELETED a"]);
    watch.end();
    expect(await ended).toBeUndefined();
  });

  test("asks for bookmarks, and for an end at a random time", async () => {
    const { watch } = await watching({ minWatchSeconds: 100 });
    expect(watch.request.query).toMatchObject({ allowWatchBookmarks: "true", timeoutSeconds: "150" });
  });

  for (const goneAs of ["event", "status"] as const) {
    test(`from too old a version is refused with 410 (${goneAs})`, async () => {
      const { api, client } = await start();
      api.apply(service("a"));
      api.compact();
      api.goneAs = goneAs;
      const watch = client.watch(SERVICES, { resourceVersion: "1000" }, () => {}, NEVER);
      expect(await failure(watch)).toMatchObject({ status: 410, reason: "Expired" });
    });
  }

  test("rejects where the connection is cut", async () => {
    const { ended, watch } = await watching();
    watch.cut();
    expect(await failure(ended)).toMatchObject({ status: 0, reason: "" });
  });

  for (const [name, text] of [
    ["not JSON", "garbage-0123\n"],
    ["null", "null\n"],
    ["without a version", '{"type":"ADDED","object":{"metadata":{"name":"garbage-0123"}}}\n'],
    ["of an unknown type", '{"type":"garbage-0123","object":{"metadata":{"resourceVersion":"1"}}}\n'],
    ["too long", `${"garbage-0123".repeat(100)}\n`],
  ] as const) {
    test(`rejects at a line that is ${name}, and does not quote it`, async () => {
      const { ended, watch } = await watching({ maxEventBytes: 1000 });
      watch.write(text);
      const error = await failure(ended);
      expect(error).toMatchObject({ status: 0, reason: UNREADABLE });
      expect(error.message).not.toContain("garbage");
    });
  }

  test("rejects where it ends in the middle of a line", async () => {
    const { ended, watch } = await watching();
    watch.write('{"type":"ADDED","object":');
    watch.end();
    expect(await failure(ended)).toMatchObject({ status: 0, reason: UNREADABLE });
  });

  test("resolves after long silence, and lets the connection go", async () => {
    const { api, ended } = await watching({ maxSilenceMs: 30 });
    expect(await ended).toBeUndefined();
    await api.until(() => api.watches().length === 0);
  });

  test("ends with its signal, and lets the connection go", async () => {
    const { api, ended, stop } = await watching();
    stop.abort();
    expect((await failure(ended)).message).toContain("given up");
    await api.until(() => api.watches().length === 0);
  });

  test("passes on what its listener throws", async () => {
    const { api, client } = await start();
    api.apply(service("a"));
    const fault = new TypeError("ours");
    const watch = client.watch(SERVICES, {}, () => { throw fault; }, NEVER); // biome-ignore format: short
    expect(await watch.catch((error) => error)).toBe(fault);
  });
});

describe("writes", () => {
  const A = "/api/v1/namespaces/web/services/a";

  test("create, replace and patch, with conflicts", async () => {
    const { api, client } = await start();
    const first = await client.create("/api/v1/namespaces/web/services", service("a"), NEVER);
    const again = client.create("/api/v1/namespaces/web/services", service("a"), NEVER);
    expect(await failure(again)).toMatchObject({ status: 409, reason: "AlreadyExists" });
    const second = await client.replace(A, { ...first, spec: { ports: [{ port: 81 }] } }, NEVER);
    expect(second.metadata.generation).toBe(2);
    expect(await failure(client.replace(A, first, NEVER))).toMatchObject({ status: 409, reason: "Conflict" });
    const { resourceVersion } = first.metadata;
    const stale = client.mergePatch(A, { metadata: { resourceVersion }, spec: { ports: [] } }, NEVER);
    expect(await failure(stale)).toMatchObject({ status: 409, reason: "Conflict" });
    await client.mergePatch(
      `${A}/status`,
      { status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } } },
      NEVER,
    );
    const last = await client.get(A, NEVER);
    expect(last["status"]).toEqual({ loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } });
    expect(last["spec"]).toEqual({ ports: [{ port: 81 }] });
    expect(api.requests.filter(({ isStatus }) => isStatus).length).toBe(1);
  });
});

describe("failures", () => {
  test("carry status, reason and Retry-After in seconds", async () => {
    const { api, client } = await start();
    api.fault({}, { type: "status", status: 429, reason: "TooManyRequests", retryAfter: "7" });
    const error = await failure(client.get(`${SERVICES}/x`, NEVER));
    expect(error).toMatchObject({ status: 429, reason: "TooManyRequests", retryAfterMs: 7000 });
  });

  test("carry Retry-After as a date", async () => {
    const { api, client } = await start();
    const retryAfter = new Date(Date.now() + 60_000).toUTCString();
    api.fault({}, { type: "status", status: 503, retryAfter });
    const { retryAfterMs } = await failure(client.list(SERVICES, {}, NEVER));
    expect(retryAfterMs).toBeWithin(50_000, 60_001);
  });

  test("tell of a server that is not there", async () => {
    const { api, client } = await start();
    await api.refuse();
    const error = await failure(client.list(SERVICES, {}, NEVER));
    expect(error).toMatchObject({ status: 0, reason: "" });
    expect(error.message).toMatch(/^GET \/api\/v1\/services: .*(refused|Refused)/i);
  });

  for (const type of ["hang", "cut"] as const) {
    test(`tell of a server that does not answer (${type})`, async () => {
      const { api, client } = await start({ requestTimeoutMs: 40 });
      api.fault({}, { type }, 2);
      expect(await failure(client.list(SERVICES, {}, NEVER))).toMatchObject({ status: 0 });
      expect(await failure(client.watch(SERVICES, {}, () => {}, NEVER))).toMatchObject({ status: 0 });
    });
  }

  test("do not quote a token that no header can hold", async () => {
    const { client } = await start({}, `${TOKEN}\nInjected: 1\u0001`);
    const error = await failure(client.list(SERVICES, {}, NEVER));
    expect(error.status).toBe(0);
    expect(error.message).not.toContain("0123456789");
  });

  test("do not quote a kubeconfig that does not parse", () => {
    const path = join(temporaryFolder("kubeconfig"), "config");
    writeFileSync(path, `users: [{token: ${TOKEN}`);
    const create = () => createKubeClient({ kubeconfig: path });
    expect(create).toThrow(KubeConfigError);
    expect(create).not.toThrow(new RegExp(TOKEN));
  });

  test("tell of a kubeconfig that is not there, or would send credentials in clear", () => {
    expect(() => createKubeClient({ kubeconfig: "/nowhere/config" })).toThrow("ENOENT");
    const caFile = "/nowhere/ca.pem";
    const clear = writeKubeconfig({ server: "http://127.0.0.1:1", caFile });
    expect(() => createKubeClient({ kubeconfig: clear })).toThrow("would send its credentials in clear");
  });
});

describe("credentials", () => {
  async function withTokenFile(): Promise<{ api: FakeApi; client: KubeClient; tokenFile: string }> {
    const { api } = await start();
    const tokenFile = join(temporaryFolder("token"), "token");
    writeFileSync(tokenFile, "first");
    const client = createKubeClient({ kubeconfig: writeKubeconfig({ server: api.url, tokenFile }) });
    stops.push(onStopAll(() => client.close()));
    return { api, client, tokenFile };
  }

  test("are read anew once they are refused", async () => {
    const { api, client, tokenFile } = await withTokenFile();
    api.token = "first";
    await client.list(SERVICES, {}, NEVER);
    api.token = "second";
    writeFileSync(tokenFile, "second\n");
    expect(await failure(client.list(SERVICES, {}, NEVER))).toMatchObject({ status: 401 });
    expect(await client.list(SERVICES, {}, NEVER)).toMatchObject({ items: [] });
  });

  test("that stay wrong stay refused", async () => {
    const { api, client } = await withTokenFile();
    api.token = "other";
    for (let i = 0; i < 3; i++) {
      const error = await failure(client.list(SERVICES, {}, NEVER));
      expect(error).toMatchObject({ status: 401, reason: "Unauthorized" });
    }
  });
});
