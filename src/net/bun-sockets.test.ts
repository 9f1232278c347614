/**
 * Proves on real sockets what the request path relies on: when each handler is called, half-close and reset both ways, how a dial
 * fails, a full Unix backlog, and that a fault in a handler costs one connection.
 */
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDialer, type Listener, listen } from "./bun-sockets.ts";
import type { DialOwner, DialTarget, Stream, StreamOwner } from "./stream.ts";

const folder = mkdtempSync(join(tmpdir(), "bun-sockets-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Keeps what happens to one end, in order, and lets a test wait for it. */
class End implements StreamOwner, DialOwner {
  readonly target: DialTarget;
  readonly events: string[] = [];
  stream: Stream | undefined;
  bytes = 0;
  /** Called with each event, within it. */
  on: (event: string) => void = () => {};
  private waiting: { readonly done: () => boolean; readonly resolve: () => void }[] = [];

  constructor(target: DialTarget = { unix: "" }) {
    this.target = target;
  }

  connected(stream: Stream): void {
    this.stream = stream;
    this.note("connected");
  }

  dialFailed(code: string): void {
    this.note(code);
  }

  received(bytes: Buffer): void {
    this.bytes += bytes.length;
    this.note(`received ${bytes.length > 20 ? "much" : bytes.toString()}`);
  }

  writable(): void {
    this.note("writable");
  }

  ended(): void {
    this.note("ended");
  }

  closed(error: Error | undefined): void {
    this.note(error === undefined ? "closed" : "closed by an error");
  }

  send(text: string): number {
    return this.stream!.write(Buffer.from(text), 0, text.length);
  }

  until(event: string): Promise<void> {
    return this.when(() => this.events.includes(event));
  }

  when(done: () => boolean): Promise<void> {
    if (done()) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push({ done, resolve }));
  }

  private note(event: string): void {
    this.events.push(event);
    const ready = this.waiting.filter(({ done }) => done());
    this.waiting = this.waiting.filter((one) => !ready.includes(one));
    for (const { resolve } of ready) resolve();
    this.on(event);
  }
}

let listener: Listener;
let faults: unknown[];
/** Of the listener; each connection takes the next, and a test waits for it. */
let accepted: { promise: Promise<End>; resolve: (end: End) => void };
let onAccept: (end: End) => void;

beforeEach(() => {
  faults = [];
  accepted = Promise.withResolvers<End>();
  onAccept = () => {};
  const address = { hostname: "127.0.0.1", port: 0 };
  listener = listen(address, false, accept, (error) => faults.push(error));
});

afterEach(() => listener.close());

function accept(stream: Stream): StreamOwner {
  const end = new End();
  end.stream = stream;
  onAccept(end);
  accepted.resolve(end);
  accepted = Promise.withResolvers<End>();
  return end;
}

const dialer = createDialer((error) => faults.push(error));

/** Both ends of a connection. */
async function connect(): Promise<{ client: End; server: End }> {
  const client = new End({ hostname: "127.0.0.1", port: listener.port });
  const coming = accepted.promise;
  dialer.dial(client.target, client);
  const [server] = await Promise.all([coming, client.until("connected")]);
  return { client, server };
}

function thrown(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error("it did not throw");
}

/** `writable` may come without need. */
function heard({ events }: End): string[] {
  return events.filter((event) => event !== "writable");
}

describe("a connection", () => {
  test("carries bytes both ways and knows its ends", async () => {
    const { client, server } = await connect();
    expect(client.send("ping")).toBe(4);
    await server.until("received ping");
    expect(server.send("pong")).toBe(4);
    await client.until("received pong");
    expect(server.stream!.remoteAddress).toBe("127.0.0.1");
    expect(server.stream!.localPort).toBe(listener.port);
    expect(client.stream!.remotePort).toBe(listener.port);
    expect(server.stream!.remotePort).toBe(client.stream!.localPort);
    client.stream!.terminate();
  });

  test("writes the stretch that it is told to", async () => {
    const { client, server } = await connect();
    expect(client.stream!.write(Buffer.from("..abc.."), 2, 3)).toBe(3);
    await server.until("received abc");
    client.stream!.terminate();
  });
});

describe("the ends of a connection", () => {
  test("a client's FIN ends its side only: the answer still reaches it", async () => {
    const { client, server } = await connect();
    client.send("ask");
    client.stream!.shutdown();
    await server.until("ended");
    expect(heard(server)).toEqual(["received ask", "ended"]);
    server.send("answer");
    server.stream!.close();
    await client.until("closed");
    expect(heard(client)).toEqual(["connected", "received answer", "closed"]);
    expect(heard(server)).toEqual(["received ask", "ended", "closed"]);
  });

  test("an upstream's FIN closes a dialled connection", async () => {
    const { client, server } = await connect();
    server.send("all of it");
    server.stream!.shutdown();
    await client.until("closed");
    expect(heard(client)).toEqual(["connected", "received all of it", "closed"]);
  });

  test("a reset is an error at the other end", async () => {
    const { client, server } = await connect();
    client.stream!.terminate();
    await server.until("closed by an error");
    const other = await connect();
    other.server.stream!.terminate();
    await other.client.until("closed by an error");
  });

  test.each(["close", "terminate"] as const)("%s says closed from within, once", async (how) => {
    const { client, server } = await connect();
    server.stream![how]();
    expect(heard(server)).toEqual(["closed"]);
    server.stream![how]();
    expect(server.send("late")).toBeLessThan(0);
    await client.when(() => client.events.some((event) => event.startsWith("closed")));
    expect(heard(server)).toEqual(["closed"]);
  });

  test("what was written before close is delivered", async () => {
    const { client, server } = await connect();
    const bytes = Buffer.alloc(50_000);
    expect(server.stream!.write(bytes, 0, bytes.length)).toBe(bytes.length);
    server.stream!.close();
    await client.until("closed");
    expect(client.bytes).toBe(bytes.length);
  });
});

describe("backpressure", () => {
  test("a write takes what the kernel has room for, and writable comes when there is more", async () => {
    const { client, server } = await connect();
    client.stream!.pause();
    const bytes = Buffer.alloc(16_000_000);
    let sent = server.stream!.write(bytes, 0, bytes.length);
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(bytes.length);
    expect(client.bytes).toBe(0);
    server.on = (event) => {
      if (event !== "writable") return;
      const taken = server.stream!.write(bytes, sent, bytes.length - sent);
      if (taken > 0) sent += taken;
      if (sent === bytes.length) server.stream!.close();
    };
    client.stream!.resume();
    await client.until("closed");
    expect(client.bytes).toBe(bytes.length);
  });

  test("a paused connection hears nothing of bytes and FIN until it is resumed", async () => {
    const { client, server } = await connect();
    server.stream!.pause();
    client.send("held");
    client.stream!.shutdown();
    // Another connection's whole life: whatever was to come had its time.
    const other = await connect();
    other.client.send("x");
    await other.server.until("received x");
    other.client.stream!.terminate();
    expect(heard(server)).toEqual([]);
    server.stream!.resume();
    await server.until("ended");
    expect(heard(server)).toEqual(["received held", "ended"]);
    server.stream!.close();
  });
});

describe("a dial that fails", () => {
  async function failure(target: DialTarget): Promise<string[]> {
    const end = new End(target);
    dialer.dial(target, end);
    await end.when(() => end.events.length > 0);
    return end.events;
  }

  test("where nobody listens", async () => {
    const { port } = listener;
    listener.close();
    expect(await failure({ hostname: "127.0.0.1", port })).toEqual(["ECONNREFUSED"]);
  });

  test("where there is no socket, or one that nobody listens on", async () => {
    const path = join(folder, "file");
    writeFileSync(path, "");
    expect(await failure({ unix: join(folder, "absent.sock") })).toEqual(["ENOENT"]);
    expect(await failure({ unix: path })).toEqual(["ECONNREFUSED"]);
  });

  test("where the backlog is full: EAGAIN, which is not to be refused", async () => {
    const path = join(folder, "busy.sock");
    // Listens and then does nothing at all, so that nothing is ever accepted.
    const program = `require("net").createServer().listen({ path: process.argv[1], backlog: 1 }, () => {
      require("fs").writeSync(1, "listening");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20000);
    })`;
    const node = join(import.meta.dirname, "../../node_modules/.bin/node");
    const busy = spawn(node, ["-e", program, path], { stdio: ["ignore", "pipe", "inherit"] });
    const gone = new Promise((resolve) => busy.on("close", resolve));
    try {
      await new Promise((resolve) => busy.stdout.once("data", resolve));
      const ends = Array.from({ length: 6 }, () => new End({ unix: path }));
      for (const end of ends) dialer.dial(end.target, end);
      await Promise.all(ends.map((end) => end.when(() => end.events.length > 0)));
      const outcomes = new Set(ends.map(({ events }) => events[0]));
      expect(outcomes).toEqual(new Set(["connected", "EAGAIN"]));
      for (const { stream } of ends) stream?.terminate();
    } finally {
      busy.kill("SIGKILL");
      await gone;
    }
  });
});

describe("a fault in a handler", () => {
  const fail = (on: string) => (event: string) => {
    if (event === on) throw new Error(`a fault in ${on}`);
  };

  test("of an accepted connection costs that connection, and is told", async () => {
    const { client, server } = await connect();
    const other = await connect();
    server.on = fail("received bad");
    client.send("bad");
    await client.until("closed by an error");
    expect(faults).toEqual([new Error("a fault in received bad")]);
    expect(server.events.at(-1)).toBe("closed");
    other.client.send("good");
    await other.server.until("received good");
    other.client.stream!.terminate();
  });

  test("of a dialled connection too, from its first moment on", async () => {
    const end = new End({ hostname: "127.0.0.1", port: listener.port });
    end.on = fail("connected");
    const coming = accepted.promise;
    dialer.dial(end.target, end);
    const server = await coming;
    await server.until("closed by an error");
    expect(faults).toEqual([new Error("a fault in connected")]);
  });

  test("on FIN, and while it is closed", async () => {
    const { client, server } = await connect();
    server.on = fail("ended");
    client.stream!.shutdown();
    await client.when(() => client.events.some((event) => event.startsWith("closed")));
    expect(faults).toEqual([new Error("a fault in ended")]);
    const other = await connect();
    other.server.on = fail("closed by an error");
    other.client.stream!.terminate();
    await other.server.until("closed by an error");
    expect(faults).toHaveLength(2);
  });

  test("while it is accepted: the connection is reset, the listener goes on", async () => {
    onAccept = () => {
      throw new Error("a fault in accept");
    };
    const end = new End({ hostname: "127.0.0.1", port: listener.port });
    dialer.dial(end.target, end);
    await end.when(() => end.events.some((event) => event.startsWith("closed")));
    expect(faults).toEqual([new Error("a fault in accept")]);
    onAccept = () => {};
    const { client } = await connect();
    client.stream!.terminate();
  });
});

describe("a listener", () => {
  test("that was closed accepts no more and keeps what it has", async () => {
    const { client, server } = await connect();
    const { port } = listener;
    listener.close();
    const late = new End({ hostname: "127.0.0.1", port });
    dialer.dial(late.target, late);
    await late.until("ECONNREFUSED");
    client.send("still here");
    await server.until("received still here");
    client.stream!.terminate();
  });

  test("shares its port only where it is told to", () => {
    const address = { hostname: "127.0.0.1", port: listener.port };
    const error = thrown(() => listen(address, false, accept, () => {}));
    expect(error).toMatchObject({
      code: "EADDRINUSE",
      message: `cannot listen at 127.0.0.1:${address.port}: EADDRINUSE`,
    });
    const elsewhere = { hostname: "192.0.2.1", port: 8080 };
    expect(thrown(() => listen(elsewhere, false, accept, () => {}))).toMatchObject({
      message: "cannot listen at 192.0.2.1:8080: EADDRNOTAVAIL",
    });
    const one = listen({ hostname: "127.0.0.1", port: 0 }, true, accept, () => {});
    const two = listen({ hostname: "127.0.0.1", port: one.port }, true, accept, () => {});
    expect(two.port).toBe(one.port);
    one.close();
    two.close();
  });
});
