/**
 * uWSGI's ping: a packet with modifier1 100 is answered by uWSGI itself, modifier2 1, without a call into Python (uWSGI source,
 * `plugins/ping`). A build without that plugin, as Debian's, reads the packet and closes: a worker took it all the same.
 */
import { connect } from "node:net";
import type { DialTarget } from "../net/stream.ts";

const PING_TIMEOUT_MS = 1_000;
const PING = Buffer.from([100, 0, 0, 0]);
const PONG = Buffer.from([100, 0, 0, 1]);

/** Why no worker answered; `undefined` where one did. Never rejects. */
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
    socket.on("end", () => end(received.length === 0 ? undefined : "an answer that is no pong"));
    socket.on("close", () => end("closed without an answer"));
  });
}
