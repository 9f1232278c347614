/**
 * uWSGI's ping: a packet with modifier1 100 is answered by uWSGI itself, modifier2 1, and costs no Python worker more than the accept
 * (uWSGI source, `plugins/ping`).
 */
import { connect } from "node:net";
import type { DialTarget } from "../net/stream.ts";

const PING_TIMEOUT_MS = 1_000;
const PING = Buffer.from([100, 0, 0, 0]);
const PONG = Buffer.from([100, 0, 0, 1]);

/** Why there was no pong; `undefined` where there was one. Never rejects. */
export function pingUwsgi(target: DialTarget, timeoutMs = PING_TIMEOUT_MS): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket =
      "unix" in target
        ? connect({ path: target.unix })
        : connect({ host: target.hostname, port: target.port });
    let received = Buffer.alloc(0);
    let timer: NodeJS.Timeout | undefined;
    const end = (fault: string | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(fault);
    };
    timer = setTimeout(() => end(`no answer within ${timeoutMs} ms`), timeoutMs);
    socket.on("connect", () => socket.write(PING));
    socket.on("data", (bytes) => {
      received = Buffer.concat([received, bytes]);
      if (received.length >= PONG.length) {
        end(received.subarray(0, PONG.length).equals(PONG) ? undefined : "an answer that is no pong");
      }
    });
    socket.on("error", (error) => end((error as NodeJS.ErrnoException).code ?? error.message));
    socket.on("close", () => end("closed without an answer"));
  });
}
