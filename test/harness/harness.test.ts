/**
 * Proves the harness itself: that real servers start and stop, that the raw client tells endings apart, that the
 * scripted upstream sends what it is told and that a missing server would be reported.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { parseMessages } from "./http-message.ts";
import {
  dumpedRequest,
  freePort,
  isFree,
  rawExchange,
  startNginx,
  startScriptedUpstream,
  startUwsgi,
  stopAll,
} from "./index.ts";
import { describeWith } from "./suite.ts";

afterAll(stopAll);

const bytes = (text: string) => Buffer.from(text, "latin1");

describe("free ports", () => {
  test("are free and never given twice", async () => {
    const ports = await Promise.all(Array.from({ length: 20 }, freePort));
    expect(new Set(ports).size).toBe(20);
    for (const port of ports) expect(await isFree(port)).toBe(true);
  });
});

describe("the response parser", () => {
  test("splits pipelined, interim, chunked and bodyless messages", () => {
    const { messages, responses, rest } = parseMessages(
      bytes(
        "HTTP/1.1 100 Continue\r\n\r\n" +
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" +
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" +
          "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nX-A: 1\r\nx-a: 2\r\n\r\nno" +
          "HTTP/1.1 2",
      ),
      ["GET", "HEAD", "GET"],
    );
    expect(messages.map((message) => message.status)).toEqual([100, 200, 200, 404]);
    expect(responses.map((message) => message.text)).toEqual(["abcde", "", "no"]);
    expect(responses[0]!.chunks.length).toBe(2);
    expect(responses[2]!.headerAll("X-a")).toEqual(["1", "2"]);
    expect(rest.length).toBe("HTTP/1.1 2".length);
  });

  test("tells a short body from a whole one", () => {
    const short = parseMessages(bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")).responses[0]!;
    expect(short.complete).toBe(false);
    const cut = parseMessages(bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"))
      .responses[0]!;
    expect([cut.complete, cut.text]).toEqual([false, "ab"]);
  });
});

describeWith(["uwsgi", "nginx"], "real servers", () => {
  test("NGINX in front of uWSGI on a Unix socket: the app's dump comes back", async () => {
    const uwsgi = await startUwsgi();
    const nginx = await startNginx({
      server: `location / { include uwsgi_params; uwsgi_pass ${uwsgi.address}; }`,
    });
    const answer = await rawExchange(nginx.port, [
      "POST /a%20b?x=1 HTTP/1.1\r\nHost: localhost\r\nX-A: caf\xc3\xa9\r\nContent-Length: 3\r\n\r\n",
      "abc",
    ]);
    expect(answer.ending).toBe("open");
    const dump = dumpedRequest(answer.response);
    expect(dump.vars).toMatchObject({ PATH_INFO: "/a b", QUERY_STRING: "x=1", HTTP_X_A: "caf\xc3\xa9" });
    expect([dump.bodyLength, dump.urlScheme]).toEqual([3, "http"]);
    await nginx.stop();
    await uwsgi.stop();
    expect(await isFree(nginx.port)).toBe(true);
  });

  test("uWSGI over TCP with an app given as text", async () => {
    const uwsgi = await startUwsgi({
      socket: "tcp",
      app: "def application(e, s):\n    s('204 No Content', [])\n    return []\n",
    });
    const nginx = await startNginx({ server: `location / { uwsgi_pass ${uwsgi.address}; }` });
    const answer = await rawExchange(nginx.port, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    expect([answer.response.status, answer.ending]).toEqual([204, "closed"]);
  });

  test("an app that cannot be loaded is an error that shows uWSGI's own words", async () => {
    await expect(startUwsgi({ app: "import no_such_module\n\n" })).rejects.toThrow(/no_such_module/);
  });
});

describeWith(["nginx"], "scripted upstream", () => {
  test("shows the packet's pairs in their order, and answers in pieces", async () => {
    const upstream = await startScriptedUpstream({
      script: async (connection) => {
        const packet = await connection.readPacket();
        await connection.readBytes(Number(packet.get("CONTENT_LENGTH")));
        await connection.sendPieces(["HTTP/1.1 200 O", "K\r\nContent-Le", "ngth: 2\r\n\r\nh", "i"]);
        connection.end();
      },
    });
    const nginx = await startNginx({
      server: `location / { uwsgi_param A 1; uwsgi_param CONTENT_LENGTH $content_length; uwsgi_pass ${upstream.address}; }`,
    });
    const answer = await rawExchange(nginx.port, "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nok");
    expect([answer.response.status, answer.response.text, answer.ending]).toEqual([200, "hi", "closed"]);
    expect(upstream.packets[0]!.pairs.slice(0, 2)).toEqual([
      ["A", "1"],
      ["CONTENT_LENGTH", "2"],
    ]);
    expect([upstream.accepted(), upstream.failures]).toEqual([1, []]);
  });

  test("a reset upstream is a 502, and the raw client tells FIN from RST", async () => {
    const upstream = await startScriptedUpstream({
      socket: "tcp",
      script: (connection) => connection.reset(),
    });
    const nginx = await startNginx({ server: `location / { uwsgi_pass ${upstream.address}; }` });
    const answer = await rawExchange(nginx.port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(answer.response.status).toBe(502);

    const port = Number(upstream.address.split(":")[1]);
    expect((await rawExchange(port, "x", { until: "close" })).ending).toBe("reset");
  });

  test("waiting between steps, half-closing and idling", async () => {
    const upstream = await startScriptedUpstream({
      socket: "tcp",
      script: async (connection) => {
        await connection.send("first");
        const sent = await connection.readToEnd();
        await connection.send(`got ${Buffer.from(sent)}`);
      },
    });
    const port = Number(upstream.address.split(":")[1]);
    const answer = await rawExchange(port, [{ await: "first" }, "second", { halfClose: true }], {
      until: { idleMs: 100 },
    });
    expect([answer.text, answer.ending]).toEqual(["firstgot second", "open"]);
  });
});
