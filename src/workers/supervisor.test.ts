// Proves, with real processes: tables reach every worker or are refused whole; a worker that is killed is replaced in
// under a second with the current table while the others serve; one that is stuck is killed and replaced, one that is
// slow is not; counts never go backwards; SIGTERM to the supervisor or to the whole group drains and exits 0; killing
// the supervisor leaves no worker behind.
import { afterEach, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { ScrapeInput } from "../ops/metric-family.ts";
import { restartDelayMs } from "./supervisor.ts";

interface Running {
  readonly child: ChildProcess;
  readonly exited: Promise<[number | null, string | null]>;
  // biome-ignore lint/suspicious/noExplicitAny: each command's answer has its own shape
  ask(command: string, argument?: string): Promise<any>;
}

const started: Running[] = [];
afterEach(async () => {
  for (const { child, exited } of started.splice(0)) {
    try {
      // The whole group: a worker that is held by SIGSTOP cannot leave by itself.
      process.kill(-child.pid!, "SIGKILL");
    } catch {
      // All of it is gone.
    }
    await exited;
  }
});

function run(port = 0): Running {
  // A process group of its own, so that the test can signal all of it.
  const child = spawn(process.execPath, [join(import.meta.dir, "supervisor.fixture.ts"), String(port)], {
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
  });
  const waiting: ((answer: unknown) => void)[] = [];
  const answers: unknown[] = [];
  createInterface(child.stdout!).on("line", (line) => {
    const answer = JSON.parse(line);
    const waiter = waiting.shift();
    if (waiter) waiter(answer);
    else answers.push(answer);
  });
  const running: Running = {
    child,
    exited: new Promise((resolve) => child.on("exit", (code, signal) => resolve([code, signal]))),
    ask: (command, argument) =>
      new Promise((resolve) => {
        if (command !== "") child.stdin!.write(`${JSON.stringify([command, argument])}\n`);
        if (answers.length > 0) resolve(answers.shift());
        else waiting.push(resolve);
      }),
  };
  started.push(running);
  return running;
}

async function until<T>(what: () => Promise<T | undefined>, withinMs = 5000): Promise<T> {
  const begun = performance.now();
  while (true) {
    const value = await what();
    if (value !== undefined) return value;
    if (performance.now() - begun > withinMs) throw new Error("did not come about");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What one connection is told; undefined when it was refused or cut. */
function call(port: number): Promise<{ pid: number; version: string; socket: Socket } | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => resolve(undefined));
    socket.on("close", () => resolve(undefined));
    socket.once("data", (data) => {
      const [pid, version] = String(data).trim().split(" ");
      resolve({ pid: Number(pid), version: version!, socket });
    });
  });
}

/** Connects until both workers have answered; gives their process ids. */
async function bothWorkers(port: number, version: string, except: number[] = []): Promise<number[]> {
  const pids = new Set<number>();
  await until(async () => {
    const reply = await call(port);
    reply?.socket.destroy();
    if (reply !== undefined && !except.includes(reply.pid)) {
      expect(reply.version).toBe(version);
      pids.add(reply.pid);
    }
    return pids.size === 2 ? pids : undefined;
  });
  return [...pids];
}

async function serving(running: Running, version: string): Promise<number> {
  expect(await running.ask("apply", version)).toEqual({ type: "accepted" });
  return until(async () => {
    const { notReady, listening } = await running.ask("state");
    return notReady === null ? (listening[0].port as number) : undefined;
  });
}

/** Until new connections are refused. */
async function refusing(port: number): Promise<void> {
  await until(async () => {
    const reply = await call(port);
    reply?.socket.destroy();
    return reply === undefined ? true : undefined;
  });
}

/** An orphan that has ended counts as gone, reaped or not. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

describe("tables", () => {
  test("nobody listens before the first; then all share one port; each new one reaches all", async () => {
    const running = run();
    expect(await running.ask("state")).toMatchObject({ notReady: "no table yet", listening: null });
    const port = await serving(running, "v1");
    await bothWorkers(port, "v1");
    expect(await running.ask("apply", "v2")).toEqual({ type: "accepted" });
    await bothWorkers(port, "v2");
  });

  test("one that cannot be compiled is refused, and the one before stays", async () => {
    const running = run();
    expect(await running.ask("apply", "bad0")).toEqual({ type: "rejected", reason: "cannot compile bad0" });
    expect(await running.ask("state")).toMatchObject({ notReady: "no table yet" });
    const port = await serving(running, "v1");
    expect(await running.ask("apply", "bad1")).toEqual({ type: "rejected", reason: "cannot compile bad1" });
    const [killed] = await bothWorkers(port, "v1");
    process.kill(killed!, "SIGKILL");
    await bothWorkers(port, "v1", [killed!]);
  });

  test("an address that cannot be had ends the start with its reason", async () => {
    const taken: Server = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const running = run((taken.address() as { port: number }).port);
    // The other worker may take up its table before or after that.
    const first = await running.ask("apply", "v1");
    const { cannotListen } = first.cannotListen === undefined ? await running.ask("") : first;
    expect(cannotListen).toMatch(/EADDRINUSE|in use|listen/);
    expect(await running.exited).toEqual([1, null]);
    taken.close();
  });
});

describe("a worker that dies", () => {
  test("is replaced in under a second while the other serves", async () => {
    const running = run();
    const port = await serving(running, "v1");
    const [killed, other] = await bothWorkers(port, "v1");
    const held = await until(async () => {
      const reply = await call(port);
      if (reply?.pid === other) return reply;
      reply?.socket.destroy();
      return undefined;
    });
    process.kill(killed!, "SIGKILL");
    const begun = performance.now();
    const seen = await bothWorkers(port, "v1", [killed!]);
    expect(performance.now() - begun).toBeLessThan(1000);
    expect(seen).toContain(other!);
    expect(held.socket.destroyed).toBe(false);
    expect(await running.ask("state")).toMatchObject({ notReady: null, restarts: 1 });
    held.socket.destroy();
  });

  test("leaves its counts behind, and nothing in flight", async () => {
    const running = run();
    const port = await serving(running, "v1");
    const [killed] = await bothWorkers(port, "v1");
    const held: Socket[] = [];
    for (let n = 0; n < 10; n++) held.push((await call(port))!.socket);
    const before: ScrapeInput = await running.ask("report");
    expect(before.processes.map((one) => one.worker).sort()).toEqual([1, 2]);
    expect(before.stats.gauges.connectionsActive).toBeGreaterThanOrEqual(10);
    process.kill(killed!, "SIGKILL");
    await until(async () => ((await running.ask("state")).restarts === 1 ? true : undefined));
    const after: ScrapeInput = await running.ask("report");
    expect(after.stats.counters.connectionsAccepted).toBeGreaterThanOrEqual(
      before.stats.counters.connectionsAccepted,
    );
    for (const socket of held) socket.destroy();
    await bothWorkers(port, "v1", [killed!]);
    await until(async () => {
      const { stats }: ScrapeInput = await running.ask("report");
      return stats.gauges.connectionsActive === 0 ? true : undefined;
    });
  });

  test("again and again after it served: is replaced in under a second each time", async () => {
    const running = run();
    const port = await serving(running, "v1");
    let victim = (await bothWorkers(port, "v1"))[0]!;
    for (let death = 1; death <= 7; death++) {
      process.kill(victim, "SIGKILL");
      const begun = performance.now();
      const pids = await bothWorkers(port, "v1", [victim]);
      expect(performance.now() - begun).toBeLessThan(1000);
      victim = pids.at(-1)!;
    }
  }, 15_000);

  test("again and again: at once, then with growing pauses up to a bound", () => {
    const delays = (count: number, hasServed: boolean) => {
      const found: number[] = [];
      while (found.length < count) found.push(restartDelayMs(found.at(-1), hasServed));
      return found;
    };
    expect(delays(6, true)).toEqual([0, 50, 100, 200, 250, 250]);
    expect(delays(11, false)).toEqual([0, 50, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    expect(restartDelayMs(10_000, true)).toBe(250);
  });
});

describe("a worker that does not answer", () => {
  test("is killed and replaced within the bound; one that answers late is left alone", async () => {
    const running = run();
    const port = await serving(running, "v1");
    const [stuck, slow] = await bothWorkers(port, "v1");
    process.kill(stuck!, "SIGSTOP");
    process.kill(slow!, "SIGSTOP");
    setTimeout(() => process.kill(slow!, "SIGCONT"), 5000);
    await until(async () => ((await running.ask("state")).restarts === 1 ? true : undefined), 15_000);
    expect(isAlive(stuck!)).toBe(false);
    expect(await bothWorkers(port, "v1", [stuck!])).toContain(slow!);
    expect(await running.ask("state")).toMatchObject({ notReady: null, restarts: 1 });
  }, 25_000);
});

describe("stopping", () => {
  test("SIGTERM to the supervisor: no new connections, those in flight finish, exit 0", async () => {
    const running = run();
    const port = await serving(running, "v1");
    const pids = await bothWorkers(port, "v1");
    const held = (await call(port))!;
    running.child.kill("SIGTERM");
    await refusing(port);
    expect(held.socket.destroyed).toBe(false);
    expect(isAlive(held.pid)).toBe(true);
    held.socket.end();
    expect(await running.exited).toEqual([0, null]);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test("a client that does not end is cut at the bound, and the exit is still 0", async () => {
    const running = run();
    const port = await serving(running, "v1");
    await call(port);
    running.child.kill("SIGTERM");
    expect(await running.exited).toEqual([0, null]);
  });

  test("SIGINT to the whole group (Ctrl-C): the workers leave it to the supervisor", async () => {
    const running = run();
    const port = await serving(running, "v1");
    const held = (await call(port))!;
    process.kill(-running.child.pid!, "SIGINT");
    await refusing(port);
    expect(isAlive(held.pid)).toBe(true);
    held.socket.end();
    expect(await running.exited).toEqual([0, null]);
  });

  test("a second signal exits at once, and takes the workers along", async () => {
    const running = run();
    const port = await serving(running, "v1");
    const pids = await bothWorkers(port, "v1");
    const held = (await call(port))!;
    running.child.kill("SIGTERM");
    await refusing(port);
    running.child.kill("SIGTERM");
    expect(await running.exited).toEqual([143, null]);
    await until(async () => (pids.some(isAlive) ? undefined : true), 1000);
    held.socket.destroy();
  });

  test("the supervisor is killed: its workers go too", async () => {
    const running = run();
    const port = await serving(running, "v1");
    const pids = await bothWorkers(port, "v1");
    running.child.kill("SIGKILL");
    await running.exited;
    await until(async () => (pids.some(isAlive) ? undefined : true), 1000);
  });
});
