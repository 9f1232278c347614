/** Proves what counts as an answer to a ping: a pong, or a worker that takes the packet and closes; and that silence has an end. */
import { afterEach, describe, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { pingUwsgi } from "./uwsgi-ping.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function port(answer: (socket: Socket, packet: Buffer) => void): Promise<number> {
  const server = createServer((socket) => socket.once("data", (packet) => answer(socket, packet)));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as { port: number }).port;
}

describe("pingUwsgi", () => {
  test.each<[string, (socket: Socket, packet: Buffer) => void, string | undefined]>([
    ["a pong", (socket) => socket.end(Buffer.from([100, 0, 0, 1])), undefined],
    ["a close, of a uWSGI without the plugin", (socket) => socket.end(), undefined],
    ["another answer", (socket) => socket.end("HTTP/1.0 400\r\n"), "an answer that is no pong"],
    ["half an answer", (socket) => socket.end(Buffer.from([100, 0])), "an answer that is no pong"],
    ["a reset", (socket) => socket.resetAndDestroy(), "ECONNRESET"],
    ["silence", () => {}, "no answer within 50 ms"],
  ])("%s", async (_, answer, fault) => {
    const packets: Buffer[] = [];
    const at = await port((socket, packet) => {
      packets.push(packet);
      answer(socket, packet);
    });
    expect(await pingUwsgi({ hostname: "127.0.0.1", port: at }, 50)).toBe(fault as string);
    expect(packets).toEqual([Buffer.from([100, 0, 0, 0])]);
  });

  test("nobody there", async () => {
    expect(await pingUwsgi({ unix: "/no/such.sock" })).toBe("ENOENT");
  });
});
