/**
 * Free ports for servers that take a port number and cannot be given port 0.
 *
 * Ports come from below Linux's ephemeral range, so that no outgoing connection takes one between the choice and
 * the server's start. Each port is also reserved against other test processes for the life of this one, by
 * a UDP socket bound to the same number on an address that nothing else uses; the kernel frees it however we end.
 */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const FIRST_PORT = 12_000;
const LAST_PORT = 30_000;
const MAX_ATTEMPTS = 500;
const RESERVATION_ADDRESS = "127.0.0.77";

let next = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));

/** A TCP port on 127.0.0.1 that nothing listens on and that no other call in any test process is given. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const port = next;
    next = next >= LAST_PORT ? FIRST_PORT : next + 1;
    if ((await reserve(port)) && (await isFree(port))) return port;
  }
  throw new Error(`no free port found in ${MAX_ATTEMPTS} attempts between ${FIRST_PORT} and ${LAST_PORT}`);
}

function reserve(port: number): Promise<boolean> {
  const socket = createSocket("udp4");
  return new Promise((resolve) => {
    socket.once("error", () => resolve(false));
    socket.bind({ port, address: RESERVATION_ADDRESS, exclusive: true }, () => {
      socket.unref();
      resolve(true);
    });
  });
}

/** Whether a server could listen on the port on 127.0.0.1 now. */
export function isFree(port: number, host = "127.0.0.1"): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
