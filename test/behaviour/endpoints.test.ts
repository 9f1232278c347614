/**
 * Proves how endpoints are used (section 6 of the wire rules): which failures are tried elsewhere and which are not, when an
 * endpoint is taken out and comes back, how turns are shared, and which status each kind of failure ends in.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import {
  freePort,
  type Gateway,
  openRaw,
  rawExchange,
  type ScriptedUpstream,
  startGateway,
  startProcess,
  startScriptedUpstream,
  startUwsgi,
  stopAll,
  temporaryFolder,
  type UpstreamScript,
  waitUntil,
} from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { accessLine, addRoute, endpointState, forwardTo, metric, type Rule } from "./routes.ts";

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ manifests: {} });
});
afterAll(stopAll);

const get = (host: string, path = "/", method = "GET") =>
  rawExchange(gateway.port, `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, { lingerMs: 0 });

const post = (host: string, path = "/") =>
  rawExchange(gateway.port, `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 2\r\n\r\nhi`, {
    lingerMs: 0,
  });

/** Many GETs, one after another: how often each text came. */
async function tally(host: string, count: number): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const { text } = (await get(host)).response;
    seen[text] = (seen[text] ?? 0) + 1;
  }
  return seen;
}

const says = (text: string, status = "200 OK") =>
  startScriptedUpstream({
    script: `HTTP/1.1 ${status}\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  });

/** Reads the request whole, then does as told. */
const afterRequest = (act: UpstreamScript) =>
  startScriptedUpstream({
    script: async (connection, index) => {
      const packet = await connection.readPacket();
      await connection.readBytes(Number(packet.get("CONTENT_LENGTH") || 0));
      await act(connection, index);
    },
  });

const resetting = () => afterRequest((connection) => connection.reset());

/** Never answers, and goes when the gateway does. */
const silent = () =>
  afterRequest(async (connection) => {
    await connection.peerClosed;
    connection.end();
  });

const absentSocket = () => `unix:${join(temporaryFolder("absent"), "s")}`;

/** No turn begins at a chosen endpoint: enough requests that each endpoint was first for one of them. */
const TURNS = 4;

describe("a connection that is refused", () => {
  for (const [kind, address] of [
    ["TCP", async () => `127.0.0.1:${await freePort()}`],
    ["a Unix socket that is not there", async () => absentSocket()],
  ] as const) {
    test(`${kind}: GET and POST are tried elsewhere`, async () => {
      const host = kind === "TCP" ? "refused-tcp.test" : "refused-unix.test";
      const good = await says("good");
      const dead = await address();
      await addRoute(gateway, host, [forwardTo([dead, good.address], { health: { maxFails: 0 } })]);
      for (let i = 0; i < TURNS; i++) {
        const answers = [await get(host), await post(host)];
        expect(answers.map(({ response }) => [response.status, response.text])).toEqual([
          [200, "good"],
          [200, "good"],
        ]);
      }
      expect((await endpointState(gateway, dead)).failures).toBeGreaterThan(0);
    });
  }

  test("a streamed POST is tried elsewhere too, its bytes whole", async () => {
    const good = await startScriptedUpstream({
      script: async (connection) => {
        await connection.readPacket();
        const body = Buffer.from(await connection.readBytes(6)).toString();
        await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n${body}`);
        connection.end();
      },
    });
    const options = { request: { buffering: false }, health: { maxFails: 0 } };
    await addRoute(gateway, "refused-stream.test", [forwardTo([absentSocket(), good.address], options)]);
    for (let i = 0; i < TURNS; i++) {
      const answer = await rawExchange(gateway.port, [
        "POST / HTTP/1.1\r\nHost: refused-stream.test\r\nContent-Length: 6\r\n\r\nabc",
        { pauseMs: 10 },
        "def",
      ]);
      expect([answer.response.status, answer.response.text]).toEqual([200, "abcdef"]);
    }
  });

  test("everywhere: 502, and the log names the error and the tries", async () => {
    await addRoute(gateway, "refused-all.test", [forwardTo([absentSocket(), absentSocket()])]);
    expect((await get("refused-all.test", "/refused-all")).response.status).toBe(502);
    const line = await accessLine(gateway, "/refused-all");
    expect(line).toMatchObject({ status: 502, error: "upstream_refused", retries: 1 });
  });
});

describe("after the request was sent", () => {
  let bad: ScriptedUpstream;
  let good: ScriptedUpstream;
  beforeAll(async () => {
    bad = await resetting();
    good = await says("good");
    const rule = (options: Rule) => [forwardTo([bad.address, good.address], options)];
    await addRoute(gateway, "sent.test", rule({ health: { maxFails: 0 } }));
    const brave = { health: { maxFails: 0 }, retries: { nonIdempotent: true } };
    await addRoute(gateway, "sent-brave.test", rule(brave));
    await addRoute(gateway, "sent-once.test", rule({ health: { maxFails: 0 }, retries: { attempts: 0 } }));
  });

  const statuses = async (send: () => ReturnType<typeof get>) => {
    const seen: number[] = [];
    for (let i = 0; i < TURNS; i++) seen.push((await send()).response.status);
    return seen.sort();
  };

  for (const method of ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]) {
    test(`${method} is tried elsewhere`, async () => {
      expect(await statuses(() => get("sent.test", "/", method))).toEqual([200, 200, 200, 200]);
    });
  }

  for (const method of ["POST", "PATCH", "PURGE"]) {
    test(`${method} is not`, async () => {
      expect(await statuses(() => get("sent.test", "/", method))).toEqual([200, 200, 502, 502]);
    });
  }

  test("POST is, where the rule says nonIdempotent", async () => {
    expect(await statuses(() => post("sent-brave.test"))).toEqual([200, 200, 200, 200]);
  });

  test("nothing is, with no retries", async () => {
    expect(await statuses(() => get("sent-once.test"))).toEqual([200, 200, 502, 502]);
  });

  test("a head that no client may see is a failure like any other: GET goes elsewhere", async () => {
    const garbled = await afterRequest(async (connection) => {
      await connection.send("HTTP/1.1 2x0 what\r\n\r\n");
      connection.end();
    });
    const closing = await afterRequest((connection) => connection.end());
    const rule = forwardTo([garbled.address, closing.address, good.address], { health: { maxFails: 0 } });
    await addRoute(gateway, "garbled.test", [rule]);
    expect(await statuses(() => get("garbled.test"))).toEqual([200, 200, 200, 200]);
    expect(garbled.accepted() + closing.accepted()).toBeGreaterThan(0);
  });

  test("nothing is tried again once bytes went to the client", async () => {
    const half = await afterRequest(async (connection) => {
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
      connection.end();
    });
    const accepted = good.accepted();
    await addRoute(gateway, "half.test", [
      forwardTo([half.address, good.address], { health: { maxFails: 0 } }),
    ]);
    let cut = 0;
    for (let i = 0; i < TURNS; i++) {
      const { response, ending } = await get("half.test");
      if (response.complete) continue;
      cut++;
      expect([response.status, response.text]).toEqual([200, "half"]);
      expect(ending).not.toBe("open");
    }
    expect([cut, good.accepted() - accepted]).toEqual([2, 2]);
  });

  test("a bound on tries holds", async () => {
    const bads = await Promise.all([resetting(), resetting(), resetting(), resetting()]);
    const options = { health: { maxFails: 0 }, retries: { attempts: 2 } };
    await addRoute(gateway, "tries.test", [
      forwardTo(
        bads.map(({ address }) => address),
        options,
      ),
    ]);
    expect((await get("tries.test")).response.status).toBe(502);
    expect(bads.reduce((sum, { accepted }) => sum + accepted(), 0)).toBe(3);
  });

  test("a bound on time holds", async () => {
    const slow = () =>
      afterRequest(async (connection) => {
        await new Promise((resolve) => setTimeout(resolve, 60));
        connection.reset();
      });
    const slows = await Promise.all([slow(), slow(), slow(), slow()]);
    const options = { health: { maxFails: 0 }, retries: { attempts: 3, within: "80ms" } };
    await addRoute(gateway, "within.test", [
      forwardTo(
        slows.map(({ address }) => address),
        options,
      ),
    ]);
    expect((await get("within.test")).response.status).toBe(502);
    expect(slows.reduce((sum, { accepted }) => sum + accepted(), 0)).toBe(2);
  });
});

describe("statuses that send a request on", () => {
  for (const status of [500, 502, 503, 504, 429, 403, 404]) {
    test(`${status}: the other endpoint answers`, async () => {
      const [refusing, good] = [await says("no", `${status} No`), await says("good")];
      const options = { health: { maxFails: 0 }, retries: { statuses: [status] } };
      const host = `on-${status}.test`;
      await addRoute(gateway, host, [forwardTo([refusing.address, good.address], options)]);
      expect(await tally(host, TURNS)).toEqual({ good: TURNS });
      expect(refusing.accepted()).toBeGreaterThan(0);
    });
  }

  test("the last endpoint's real response is what the client gets", async () => {
    const both = await Promise.all([says("first", "503 Busy"), says("second", "503 Busy")]);
    const options = { health: { maxFails: 0 }, retries: { statuses: [503] } };
    await addRoute(gateway, "on-last.test", [
      forwardTo(
        both.map(({ address }) => address),
        options,
      ),
    ]);
    const { response } = await get("on-last.test");
    expect([response.status, response.reason]).toEqual([503, "Busy"]);
    expect(["first", "second"]).toContain(response.text);
    expect(both.map(({ accepted }) => accepted())).toEqual([1, 1]);
  });

  test("a status that is not in the list is an answer", async () => {
    const [refusing, good] = [await says("no", "500 No"), await says("good")];
    const options = { health: { maxFails: 0 }, retries: { statuses: [503] } };
    await addRoute(gateway, "not-on.test", [forwardTo([refusing.address, good.address], options)]);
    expect(await tally("not-on.test", TURNS)).toEqual({ good: 2, no: 2 });
  });

  test("POST stays with the first, whatever it answers", async () => {
    const [refusing, good] = [await says("no", "503 No"), await says("good")];
    const options = { health: { maxFails: 0 }, retries: { statuses: [503] } };
    await addRoute(gateway, "on-post.test", [forwardTo([refusing.address, good.address], options)]);
    const texts: string[] = [];
    for (let i = 0; i < TURNS; i++) texts.push((await post("on-post.test")).response.text);
    expect(texts.sort()).toEqual(["good", "good", "no", "no"]);
  });
});

describe("passive health", () => {
  test("maxFails 1: one failure takes an endpoint out, and after failTimeout it is back", async () => {
    let broken = true;
    const flaky = await afterRequest(async (connection) => {
      if (broken) return connection.reset();
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nflaky");
      connection.end();
    });
    const good = await says("good");
    await addRoute(gateway, "flaky.test", [
      forwardTo([flaky.address, good.address], { health: { failTimeout: "300ms" } }),
    ]);
    expect(await tally("flaky.test", 6)).toEqual({ good: 6 });
    const out = await endpointState(gateway, flaky.address);
    expect(out).toMatchObject({ requests: 1, failures: 1, ejections: 1, ejected: 1 });
    expect(await metric(gateway, "endpoint_ejected", flaky.address)).toBe(1);
    broken = false;
    await new Promise((resolve) => setTimeout(resolve, 320));
    expect((await endpointState(gateway, flaky.address)).ejected).toBe(0);
    expect((await tally("flaky.test", 6)).flaky).toBe(3);
    expect((await endpointState(gateway, flaky.address)).ejected).toBe(0);
  });

  test("maxFails 3 within failTimeout: the third takes it out", async () => {
    const [bad, good] = [await resetting(), await says("good")];
    await addRoute(gateway, "third.test", [
      forwardTo([bad.address, good.address], { health: { maxFails: 3, failTimeout: "60s" } }),
    ]);
    expect(await tally("third.test", 12)).toEqual({ good: 12 });
    expect(bad.accepted()).toBe(3);
  });

  test("a retry goes to nobody who is out: the client gets the real answer", async () => {
    let down = true;
    const answers = async (name: string) =>
      afterRequest(async (connection) => {
        await connection.send(`HTTP/1.1 ${down ? 503 : 200} X\r\nContent-Length: 3\r\n\r\n${name}`);
        connection.end();
      });
    const all = [await answers("one"), await answers("two")];
    await addRoute(gateway, "all-out.test", [
      forwardTo(
        all.map(({ address }) => address),
        { health: { failTimeout: "60s" }, retries: { statuses: [503] } },
      ),
    ]);
    const triesOf = async () => {
      const before = all.map((each) => each.accepted());
      const { response } = await get("all-out.test");
      const tries = all.reduce((sum, each, i) => sum + each.accepted() - before[i]!, 0);
      return [response.status, response.text.length, tries];
    };
    expect(await triesOf()).toEqual([503, 3, 2]);
    expect(await triesOf()).toEqual([503, 3, 1]);
    down = false;
    expect(await triesOf()).toEqual([200, 3, 1]);
  });

  test("its state outlives a change of the table", async () => {
    const [bad, good] = [await resetting(), await says("good")];
    const rules = [forwardTo([bad.address, good.address], { health: { failTimeout: "60s" } })];
    await addRoute(gateway, "keeps.test", rules);
    await tally("keeps.test", 4);
    await addRoute(gateway, "keeps-too.test", rules);
    await tally("keeps.test", 4);
    expect([await tally("keeps-too.test", 4), bad.accepted()]).toEqual([{ good: 4 }, 1]);
  });

  test("a lone endpoint is never taken out", async () => {
    let failures = 2;
    const only = await afterRequest(async (connection) => {
      if (failures-- > 0) return connection.reset();
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup");
      connection.end();
    });
    await addRoute(gateway, "lone.test", [forwardTo(only.address)]);
    const statuses = [await get("lone.test"), await get("lone.test"), await get("lone.test")];
    expect(statuses.map(({ response }) => response.status)).toEqual([502, 502, 200]);
    const state = await endpointState(gateway, only.address);
    expect(state).toMatchObject({ requests: 3, failures: 2, ejections: 0, ejected: 0 });
  });

  for (const status of [403, 404]) {
    test(`${status} never counts, even where it sends requests on`, async () => {
      const [refusing, good] = [await says("no", `${status} No`), await says("good")];
      const host = `uncounted-${status}.test`;
      await addRoute(gateway, host, [
        forwardTo([refusing.address, good.address], { retries: { statuses: [status] } }),
      ]);
      await tally(host, TURNS);
      expect(refusing.accepted()).toBeGreaterThanOrEqual(2);
      expect((await endpointState(gateway, refusing.address)).failures).toBe(0);
    });
  }

  test("a status that sends requests on counts otherwise", async () => {
    const [refusing, good] = [await says("no", "503 No"), await says("good")];
    await addRoute(gateway, "counted.test", [
      forwardTo([refusing.address, good.address], { retries: { statuses: [503] } }),
    ]);
    expect(await tally("counted.test", 8)).toEqual({ good: 8 });
    expect(refusing.accepted()).toBe(1);
  });
});

describe("turns", () => {
  test("round robin: each in turn", async () => {
    const three = await Promise.all([says("a"), says("b"), says("c")]);
    await addRoute(gateway, "turns.test", [forwardTo(three.map(({ address }) => address))]);
    const texts: string[] = [];
    for (let i = 0; i < 6; i++) texts.push((await get("turns.test")).response.text);
    expect(texts.slice(0, 3).sort()).toEqual(["a", "b", "c"]);
    expect(texts.slice(3)).toEqual(texts.slice(0, 3));
  });

  test("weights: 3, 1 and none", async () => {
    const three = await Promise.all([says("three"), says("one"), says("none")]);
    const backendRefs = three.map(({ address }, i) => ({ socket: address, weight: [3, 1, 0][i] }));
    await addRoute(gateway, "weights.test", [{ backendRefs }]);
    expect(await tally("weights.test", 12)).toEqual({ three: 9, one: 3 });
  });

  test("LeastOutstanding: past an endpoint that is busy", async () => {
    let finish = () => {};
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const busy = await afterRequest(async (connection) => {
      await finished;
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbusy");
      connection.end();
    });
    const idle = await says("idle");
    await addRoute(gateway, "least.test", [
      forwardTo([busy.address, idle.address], { loadBalancing: "LeastOutstanding" }),
    ]);
    const held: ReturnType<typeof get>[] = [];
    for (let i = 0; i < 2 && busy.accepted() === 0; i++) {
      held.push(get("least.test"));
      await waitUntil(
        () => (busy.accepted() + idle.accepted() > i ? true : undefined),
        gateway.process,
        "a try",
        2_000,
      );
    }
    expect(busy.accepted()).toBe(1);
    await Promise.all(held.slice(0, -1));
    expect(await tally("least.test", 6)).toEqual({ idle: 6 });
    finish();
    expect((await held.at(-1)!).response.text).toBe("busy");
  });
});

describe("which status", () => {
  const statusOf = async (host: string, path: string) => {
    const { response } = await get(host, path);
    const { error, status } = await accessLine(gateway, path);
    expect(status).toBe(response.status);
    return [response.status, error];
  };

  test("504 for an answer that does not come in time, between two reads", async () => {
    const late = await silent();
    await addRoute(gateway, "read-late.test", [forwardTo(late.address, { timeouts: { read: "200ms" } })]);
    expect(await statusOf("read-late.test", "/read-late")).toEqual([504, "upstream_read_timeout"]);
    const { totalMs } = await accessLine(gateway, "/read-late");
    expect(totalMs).toBeGreaterThanOrEqual(200);
    // The next bound, 60 s, is far away; the machine may be busy.
    expect(totalMs).toBeLessThan(2_000);
    await waitUntil(
      () => (late.open() === 0 ? true : undefined),
      gateway.process,
      "end of the connection",
      2_000,
    );
  });

  test("the read timeout begins anew with each read", async () => {
    const slow = await afterRequest(async (connection) => {
      const pieces = ["HTTP/1.1 200 OK\r\n", "Content-Length: 4\r\n\r\n", "a", "b", "c", "d"];
      await connection.sendPieces(pieces, 80);
      connection.end();
    });
    await addRoute(gateway, "read-slow.test", [forwardTo(slow.address, { timeouts: { read: "250ms" } })]);
    expect((await get("read-slow.test")).response.text).toBe("abcd");
  });

  test("504 for an endpoint that takes none of a large body", async () => {
    // A listener whose connections are never read: the kernel's buffers fill.
    const options = { timeouts: { send: "150ms", read: "30s" }, request: { maxBodySize: "64Mi" } };
    await addRoute(gateway, "send-late.test", [forwardTo(await unreadingListener(), options)]);
    const body = Buffer.alloc(24 << 20);
    const answer = await rawExchange(gateway.port, [
      `POST /send-late HTTP/1.1\r\nHost: send-late.test\r\nContent-Length: ${body.length}\r\n\r\n`,
      body,
    ]);
    expect(answer.response.status).toBe(504);
    expect(await accessLine(gateway, "/send-late")).toMatchObject({ error: "upstream_send_timeout" });
  });

  test("503 where a Service has no endpoint, and where all weights are 0", async () => {
    await addRoute(gateway, "none.test", [
      { matches: [{ path: { value: "/weightless" } }], backendRefs: [{ socket: absentSocket(), weight: 0 }] },
      { matches: [{ path: { value: "/service" } }], backendRefs: [{ name: "nobody", port: 80 }] },
    ]);
    expect(await statusOf("none.test", "/weightless")).toEqual([503, "no_endpoint"]);
    expect(await statusOf("none.test", "/service")).toEqual([503, "no_endpoint"]);
  });

  test("502 for a reset and for a connection that ends without an answer", async () => {
    const closing = await afterRequest((connection) => connection.end());
    const overTcp = await startScriptedUpstream({
      socket: "tcp",
      script: async (connection) => {
        await connection.readPacket();
        connection.reset();
      },
    });
    await addRoute(gateway, "ends.test", [
      forwardTo(overTcp.address, {}, "/reset"),
      forwardTo(closing.address, {}, "/closed"),
    ]);
    expect(await statusOf("ends.test", "/reset")).toEqual([502, "upstream_reset"]);
    expect(await statusOf("ends.test", "/closed")).toEqual([502, "upstream_closed_early"]);
  });
});

describe("a full backlog", () => {
  test("of a Unix socket: the request never left, so even POST goes elsewhere", async () => {
    const full = await fullBacklog();
    const good = await says("good");
    await addRoute(gateway, "backlog.test", [forwardTo([full, good.address], { health: { maxFails: 0 } })]);
    for (let i = 0; i < TURNS; i++) {
      const answer = await post("backlog.test");
      expect([answer.response.status, answer.response.text]).toEqual([200, "good"]);
    }
    expect((await endpointState(gateway, full)).requests).toBeGreaterThan(0);
  });
});

describe("a full backlog of the only endpoint", () => {
  test("is waited for, by whatever path the app bound its socket", async () => {
    const folder = temporaryFolder("relative");
    const code = `
import socket, time
s = socket.socket(socket.AF_UNIX); s.bind("s"); s.listen(0)
c = socket.socket(socket.AF_UNIX); c.connect("s")
print("listening", flush=True); time.sleep(0.5)
while True:
  a, _ = s.accept()
  a.settimeout(0.2)
  try: a.recv(65536); a.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
  except OSError: pass
  a.close()
`;
    const running = startProcess({
      name: "relative",
      command: ["python3", "-c", code],
      cwd: folder,
      stopTimeoutMs: 100,
    });
    await running.waitForLine(/listening/);
    await addRoute(gateway, "relative.test", [forwardTo(`unix:${join(folder, "s")}`)]);
    expect((await get("relative.test")).response.status).toBe(200);
  });
});

describe("an endpoint with many dials that nobody waits for any more", () => {
  const leave = async (host: string, address: string, clients: number) => {
    const open = await Promise.all(Array.from({ length: clients }, () => openRaw(gateway.port)));
    const ask = `GET /left HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    for (const client of open) await client.send(ask);
    const inFlight = async (count: number) =>
      (await endpointState(gateway, address)).inFlight === count ? true : undefined;
    await waitUntil(() => inFlight(clients), gateway.process, "dials", 3_000);
    for (const client of open) await client.perform({ reset: true });
    await waitUntil(() => inFlight(0), gateway.process, "the clients' end", 3_000);
  };

  test("is passed over, or waited for; then 503, and the log names the error", async () => {
    const [stuck, good] = [await stuckListener(), await says("good")];
    await addRoute(gateway, "stuck.test", [forwardTo(stuck)]);
    await addRoute(gateway, "stuck-or.test", [forwardTo([stuck, good.address])]);
    await leave("stuck.test", stuck, 64);
    const boundHits = await metric(gateway, "bound_hits_total", "dangling_dials");
    const begun = performance.now();
    expect((await get("stuck.test", "/stuck")).response.status).toBe(503);
    expect(performance.now() - begun).toBeGreaterThan(800);
    expect(await accessLine(gateway, "/stuck")).toMatchObject({ error: "upstream_dials_pending" });
    expect(await metric(gateway, "bound_hits_total", "dangling_dials")).toBe(boundHits + 1);
    expect(await tally("stuck-or.test", 4)).toEqual({ good: 4 });
  });
});

describeWith(["uwsgi"], "a spike", () => {
  test("beyond the backlog of a lone uWSGI waits its turn", async () => {
    const uwsgi = await startUwsgi({
      app: "import time\ndef application(e, s):\n    time.sleep(0.02)\n    s('200 OK', [])\n    return [b'ok']\n",
      options: ["--listen", "4"],
    });
    await addRoute(gateway, "spike.test", [forwardTo(uwsgi.address)]);
    const answers = await Promise.all(Array.from({ length: 30 }, () => get("spike.test")));
    expect(answers.map(({ response }) => response.status)).toEqual(Array(30).fill(200));
  });
});

describe("a client that goes away", () => {
  test("has its upstream connection closed at once, is 499, and does not count against the endpoint", async () => {
    const slow = await silent();
    const other = await says("other");
    await addRoute(gateway, "gone.test", [forwardTo([slow.address, other.address])]);
    for (let i = 0; i < 2 && slow.accepted() === 0; i++) {
      const client = await openRaw(gateway.port);
      await client.send(`GET /gone-${i} HTTP/1.1\r\nHost: gone.test\r\n\r\n`);
      await waitUntil(
        () => (slow.accepted() + other.accepted() > i ? true : undefined),
        gateway.process,
        "a try",
        2_000,
      );
      await client.perform({ reset: true });
    }
    await waitUntil(() => (slow.open() === 0 ? true : undefined), gateway.process, "end", 2_000);
    const state = await endpointState(gateway, slow.address);
    expect(state).toMatchObject({ requests: 1, failures: 0, inFlight: 0, ejected: 0 });
    const line = await waitUntil(
      () => gateway.lines.find((each) => each.includes('"target":"/gone-') && each.includes('"status":499')),
      gateway.process,
      "access line",
      2_000,
    );
    expect(JSON.parse(line)).toMatchObject({ error: "client_closed", endpoint: slow.address });
  });

  test("leaves the app to finish, where the rule says ignoreClientAbort", async () => {
    let outcome: string | undefined;
    const slow = await afterRequest(async (connection) => {
      outcome = await Promise.race([
        connection.peerClosed,
        new Promise<string>((resolve) => setTimeout(resolve, 150, "finished")),
      ]);
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      connection.end();
    });
    await addRoute(gateway, "gone-kept.test", [forwardTo(slow.address, { ignoreClientAbort: true })]);
    const client = await openRaw(gateway.port);
    await client.send("GET / HTTP/1.1\r\nHost: gone-kept.test\r\n\r\n");
    await waitUntil(() => (slow.accepted() > 0 ? true : undefined), gateway.process, "a try", 2_000);
    await client.perform({ reset: true });
    await waitUntil(() => (outcome === undefined ? undefined : true), gateway.process, "end", 2_000);
    expect(outcome).toBe("finished");
  });

  test("leaves no descriptor behind, after 200 of them", async () => {
    const slow = await silent();
    await addRoute(gateway, "gone-many.test", [forwardTo(slow.address)]);
    const before = await metric(gateway, "process_open_fds");
    for (let round = 0; round < 4; round++) {
      const clients = await Promise.all(Array.from({ length: 50 }, () => openRaw(gateway.port)));
      await Promise.all(clients.map((each) => each.send("GET / HTTP/1.1\r\nHost: gone-many.test\r\n\r\n")));
      const wanted = (round + 1) * 50;
      await waitUntil(
        () => (slow.accepted() >= wanted ? true : undefined),
        gateway.process,
        "requests",
        5_000,
      );
      await Promise.all(clients.map((each) => each.perform({ reset: true })));
    }
    await waitUntil(() => (slow.open() === 0 ? true : undefined), gateway.process, "end", 5_000);
    const settled = async () =>
      (await metric(gateway, "process_open_fds")) <= before + 2 ? true : undefined;
    await waitUntil(settled, gateway.process, "descriptors given back", 5_000);
  });
});

/** Listens on a port, accepts, and never reads. */
async function unreadingListener(): Promise<string> {
  const port = await freePort();
  const code = `
import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.bind(("127.0.0.1", ${port})); s.listen(8); print("listening", flush=True)
kept = []
while True: kept.append(s.accept())
`;
  const running = startProcess({ name: "unreading", command: ["python3", "-c", code], stopTimeoutMs: 100 });
  await running.waitForLine(/listening/);
  return `127.0.0.1:${port}`;
}

/** Listens on a port whose backlog is full: the kernel drops what else would connect. */
async function stuckListener(): Promise<string> {
  const port = await freePort();
  const code = `
import socket, time
s = socket.socket(); s.bind(("127.0.0.1", ${port})); s.listen(0)
kept = [socket.socket() for _ in range(4)]
for c in kept: c.setblocking(False); c.connect_ex(("127.0.0.1", ${port}))
print("listening", flush=True); time.sleep(600)
`;
  const running = startProcess({ name: "stuck", command: ["python3", "-c", code], stopTimeoutMs: 100 });
  await running.waitForLine(/listening/);
  return `127.0.0.1:${port}`;
}

/** A Unix socket whose backlog holds one connection, with that place taken. */
async function fullBacklog(): Promise<string> {
  const path = join(temporaryFolder("full"), "s");
  const code = `
import socket, time
s = socket.socket(socket.AF_UNIX); s.bind(${JSON.stringify(path)}); s.listen(0)
c = socket.socket(socket.AF_UNIX); c.connect(${JSON.stringify(path)})
print("listening", flush=True); time.sleep(600)
`;
  const running = startProcess({ name: "full", command: ["python3", "-c", code], stopTimeoutMs: 100 });
  await running.waitForLine(/listening/);
  return `unix:${path}`;
}
