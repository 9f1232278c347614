/**
 * A program for the supervisor's test: commands as JSON lines on stdin, answers on stdout. Its data plane says
 * `PID VERSION` to each connection, and holds the connection (a request in flight) until the client ends it.
 */

import { createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { pino } from "pino";
import { onShutdownSignals } from "../ops/shutdown.ts";
import { Stats } from "../ops/stats.ts";
import { SNAPSHOT_FORMAT, type Snapshot } from "../snapshot/snapshot.ts";
import type { DataPlane } from "./data-plane.ts";
import { forkSelf, Supervisor } from "./supervisor.ts";
import { runWorker, workerNumber } from "./worker.ts";

const port = Number(process.argv[2]);

function fakePlane(): DataPlane {
  const stats = new Stats();
  const sockets = new Set<Socket>();
  let version = "";
  const server = createServer((socket) => {
    stats.connectionsAccepted++;
    stats.connectionsActive++;
    sockets.add(socket);
    socket.on("close", () => {
      stats.connectionsActive--;
      sockets.delete(socket);
    });
    socket.on("error", () => {});
    socket.write(`${process.pid} ${version}\n`);
  });
  return {
    apply(snapshot) {
      if (snapshot.version.startsWith("bad")) throw new Error(`cannot compile ${snapshot.version}`);
      version = snapshot.version;
    },
    listen: ([address]) =>
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen({ host: address!.hostname, port: address!.port, reusePort: true }, () =>
          resolve([{ hostname: address!.hostname, port: (server.address() as { port: number }).port }]),
        );
      }),
    report: () => stats.report(),
    async drain(timeoutMs) {
      const closed = new Promise((resolve) => server.close(resolve));
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, timeoutMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

function snapshot(version: string): Snapshot {
  return { format: SNAPSHOT_FORMAT, version, hosts: [], settings: [], upstreams: [] };
}

function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function supervise(): void {
  let restarts = 0;
  const supervisor = new Supervisor({
    workers: 2,
    http: [{ hostname: "127.0.0.1", port }],
    log: pino({ level: "silent" }),
    start: forkSelf,
    monotonicMs: () => performance.now(),
    onRestart: () => restarts++,
    onListening: () => {},
    onCannotListen: (reason) => {
      say({ cannotListen: reason });
      process.exit(1);
    },
  });
  const commands: Record<string, (argument: string) => unknown> = {
    apply: (version) => supervisor.apply(snapshot(version)),
    state: () => ({
      notReady: supervisor.notReady() ?? null,
      listening: supervisor.listening() ?? null,
      restarts,
    }),
    report: () => supervisor.report(),
  };
  createInterface(process.stdin).on("line", async (line) => {
    const [command, argument] = JSON.parse(line) as [string, string];
    say(await commands[command]!(argument));
  });
  onShutdownSignals({
    drain: () => void supervisor.drain(500).then(() => process.exit(0)),
    exitNow: (code) => process.exit(code),
  });
}

if (workerNumber() === undefined) supervise();
else runWorker(fakePlane());
