/**
 * Proves what becomes of an app's work when its client sends FIN (section 6 of the wire rules), be it by closing, as browsers and curl do,
 * or by ending its sending side only: at 0, 50 and 300 ms, over HTTP/1.0 and 1.1, before and during the response, beside NGINX.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  type Gateway,
  latin1,
  openRaw,
  type ScriptedUpstream,
  startGateway,
  startNginx,
  startScriptedUpstream,
  stopAll,
  waitUntil,
} from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { accessLine, addRoute, endpointState, forwardTo } from "./routes.ts";
import type { RuleId } from "./rules.ts";

afterAll(stopAll);

const RULE: RuleId = "half-close";
/** Far below any time at which something else would end the connection. */
const AT_ONCE_MS = 1_500;
const DELAYS_MS = [0, 50, 300] as const;
const VERSIONS = ["1.0", "1.1"] as const;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ manifests: {} });
});

const eventually = (condition: () => boolean, what: string) =>
  waitUntil(() => condition() || undefined, gateway.process, what, AT_ONCE_MS);

interface HeldApp extends ScriptedUpstream {
  /** Lets the app send this. */
  say(text: string): void;
}

/** Reads the request, sends `first`, then what it is told to; it never ends by itself. */
async function heldApp(first: string): Promise<HeldApp> {
  let say = (_: string) => {};
  const upstream = await startScriptedUpstream({
    script: async (connection) => {
      say = (text) => void connection.send(text);
      await connection.readPacket();
      if (first !== "") await connection.send(first);
      await connection.peerClosed;
      connection.end();
    },
  });
  return { ...upstream, say: (text) => say(text) };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const request = (target: string, host: string, version: string) =>
  `GET ${target} HTTP/${version}\r\nHost: ${host}\r\n\r\n`;

const PART = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\npart";
const EVENT = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: part\n\n";

/** When each begins, the app has sent this. */
const MOMENTS = { "before the response": "", "during the response": PART, "during events": EVENT } as const;

let count = 0;

/** A request under way whose client closes after `delayMs`. */
async function closedAfter(first: string, version: string, delayMs: number, options = {}) {
  const app = await heldApp(first);
  const host = `gone-${++count}.test`;
  await addRoute(gateway, host, [forwardTo(app.address, { response: { buffering: false }, ...options })]);
  const client = await openRaw(gateway.port);
  await client.send(request(`/${host}`, host, version));
  await eventually(() => app.packets.length === 1, "the request");
  if (first !== "") await client.perform({ await: "part" });
  await pause(delayMs);
  client.destroy();
  return { app, target: `/${host}` };
}

for (const [moment, first] of Object.entries(MOMENTS)) {
  for (const version of VERSIONS) {
    for (const delayMs of DELAYS_MS) {
      const noticed = delayMs >= 100 || first === EVENT;
      const what = noticed ? "the app is left at once" : "the first bytes tell";
      test(`closed ${moment}, after ${delayMs} ms, HTTP/${version}: ${what}`, async () => {
        const { app, target } = await closedAfter(first, version, delayMs);
        if (!noticed) app.say(first === "" ? PART : "more");
        await eventually(() => app.open() === 0, "the end of the app's connection");
        const status = first === "" && noticed ? 499 : 200;
        expect(await accessLine(gateway, target)).toMatchObject({ status, error: "client_closed" });
        expect(await endpointState(gateway, app.address)).toMatchObject({ failures: 0, inFlight: 0 });
      });
    }
  }
}

for (const [moment, first] of Object.entries(MOMENTS)) {
  test(`ignoreClientAbort, closed ${moment}: the app goes on`, async () => {
    const { app, target } = await closedAfter(first, "1.1", 300, { ignoreClientAbort: true });
    // Others are served in the meantime, so the FIN was seen.
    for (let i = 0; i < 3; i++) await endpointState(gateway, app.address);
    expect(app.open()).toBe(1);
    app.say("HTTP/1.1 200 OK\r\n\r\nend");
    await app.stop();
    expect(await accessLine(gateway, target)).toMatchObject({ error: "client_closed" });
  });
}

describe("half-closed with its request, and an app that takes more than a second", () => {
  for (const version of VERSIONS) {
    test(`HTTP/${version}: the answer, and no other byte — differs: ${RULE}`, async () => {
      const app = await startScriptedUpstream({
        script: async (connection) => {
          await connection.readPacket();
          await pause(2_300);
          await connection.send("HTTP/1.1 200 OK\r\nServer: s\r\nDate: d\r\nContent-Length: 4\r\n\r\nlate");
          connection.end();
        },
      });
      const host = `slow-${version}.test`;
      await addRoute(gateway, host, [forwardTo(app.address)]);
      const client = await openRaw(gateway.port);
      await client.send(request("/", host, version));
      await client.perform({ halfClose: true });
      await client.waitFor(() => false);
      const head =
        "HTTP/1.1 200 OK\r\nServer: s\r\nDate: d\r\nContent-Length: 4\r\nConnection: close\r\n\r\n";
      expect([latin1(client.received()).split("\r\n").sort(), client.ending]).toEqual([
        `${head}late`.split("\r\n").sort(),
        "closed",
      ]);
    });
  }
});

describeWith(["nginx"], "beside NGINX", () => {
  for (const [moment, first] of Object.entries(MOMENTS)) {
    test(`a client that closes late ${moment}: both leave the app at once`, async () => {
      const app = await heldApp(first);
      const host = `both-${++count}.test`;
      await addRoute(gateway, host, [forwardTo(app.address, { response: { buffering: false } })]);
      const server = `location / { include uwsgi_params; uwsgi_buffering off; uwsgi_pass ${app.address}; }`;
      const nginx = await startNginx({ server });
      for (const [i, port] of [nginx.port, gateway.port].entries()) {
        const client = await openRaw(port);
        await client.send(request("/", host, "1.1"));
        await eventually(() => app.packets.length === i + 1, "the request");
        if (first !== "") await client.perform({ await: "part" });
        await pause(300);
        expect(app.open()).toBe(1);
        client.destroy();
        await eventually(() => app.open() === 0, "the end of the app's connection");
      }
    });
  }

  test(`a client that half-closes late: both leave the app — ${RULE}`, async () => {
    const app = await heldApp("");
    await addRoute(gateway, "half-late.test", [forwardTo(app.address)]);
    const server = `location / { include uwsgi_params; uwsgi_pass ${app.address}; }`;
    const nginx = await startNginx({ server });
    for (const port of [nginx.port, gateway.port]) {
      const client = await openRaw(port);
      await client.send(request("/", "half-late.test", "1.1"));
      await pause(300);
      await client.perform({ halfClose: true });
      await eventually(() => app.open() === 0 && client.ending !== undefined, "the end");
      expect(client.receivedBytes).toBe(0);
    }
  });
});
