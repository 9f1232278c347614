/**
 * Proves the feed over a real Unix socket: a subscriber gets the newest snapshot and then what changed, its answers are known to
 * the publisher, a refusal keeps the last good one, and either end may go and come back.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SNAPSHOT_FORMAT, type Snapshot } from "../snapshot/snapshot.ts";
import { snapshotVersion } from "../snapshot/version.ts";
import { FrameReader } from "./frames.ts";
import { FeedPublisher } from "./publisher.ts";
import { readSnapshotFile, SnapshotFile } from "./snapshot-file.ts";
import { FeedSubscriber } from "./subscriber.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "feed-"));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Upstream id -> address. */
function snapshot(upstreams: Record<string, string>): Snapshot {
  const content: Omit<Snapshot, "version"> = {
    format: SNAPSHOT_FORMAT,
    hosts: [],
    settings: [],
    upstreams: Object.entries(upstreams).map(([id, address]) => ({ id, endpoints: [{ address }] })),
  };
  return { version: snapshotVersion(content), ...content };
}

const one = snapshot({ "n/a:1": "unix:/1" });
const two = snapshot({ "n/a:1": "unix:/1", "n/b:1": "unix:/2" });
const three = snapshot({ "n/b:1": "unix:/3" });

/** Something happened; what waits for it looks again. */
class Signal {
  #waiting: (() => void)[] = [];
  readonly raise = (): void => {
    for (const resolve of this.#waiting.splice(0)) resolve();
  };
  async until(passes: () => boolean): Promise<void> {
    while (!passes()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

async function publisher(path: string) {
  const signal = new Signal();
  const errors: string[] = [];
  const feed = new FeedPublisher({
    addresses: [{ type: "unix", path }],
    onChange: signal.raise,
    onError: (error) => {
      errors.push(error.message);
      signal.raise();
    },
  });
  await feed.listen();
  cleanups.push(() => feed.close());
  return { feed, errors, until: signal.until.bind(signal) };
}

function subscriber(path: string, name: string, before?: Snapshot) {
  const signal = new Signal();
  const got: Snapshot[] = [];
  const states: string[] = [];
  const made = {
    got,
    states,
    until: signal.until.bind(signal),
    /** Runs before a snapshot is taken up. */
    hold: async (_: Snapshot): Promise<void> => {},
    subscriber: undefined as unknown as FeedSubscriber,
  };
  made.subscriber = new FeedSubscriber({
    address: { type: "unix", path },
    name,
    ...(before === undefined ? {} : { snapshot: before }),
    onSnapshot: async (next) => {
      await made.hold(next);
      got.push(next);
      signal.raise();
    },
    onConnection: ({ type }) => {
      states.push(type);
      signal.raise();
    },
    random: () => 0,
  });
  made.subscriber.start();
  cleanups.push(() => made.subscriber.close());
  return made;
}

const path = () => join(temporaryFolder(), "feed.sock");

describe("a subscriber", () => {
  test("gets the newest, then what changed, and is known to have it", async () => {
    const at = path();
    const { feed, until } = await publisher(at);
    feed.publish(one);
    const proxy = subscriber(at, "proxy-1");
    await until(() => feed.states()[0]?.version === one.version);
    feed.publish(two);
    await until(() => feed.states()[0]?.version === two.version);
    expect(proxy.got).toEqual([one, two]);
    // A delta: what did not change is the very same object.
    expect(proxy.got[1]!.upstreams[0]).toBe(proxy.got[0]!.upstreams[0]!);
    expect(feed.states()).toEqual([{ name: "proxy-1", version: two.version }]);
  });

  test("that refuses keeps what it has, says why, and goes on with the next", async () => {
    const at = path();
    const { feed, until } = await publisher(at);
    feed.publish(one);
    const proxy = subscriber(at, "proxy");
    await until(() => feed.states()[0]?.version === one.version);
    proxy.hold = async ({ version }) => {
      if (version === two.version) throw new Error("cannot compile");
    };
    feed.publish(two);
    await until(() => feed.states()[0]?.refused !== undefined);
    const refused = { version: two.version, reason: "cannot compile" };
    expect(feed.states()[0]).toEqual({ name: "proxy", version: one.version, refused });
    feed.publish(three);
    await until(() => feed.states()[0]?.version === three.version);
    expect(feed.states()[0]?.refused).toBeUndefined();
    expect(proxy.got).toEqual([one, three]);
  });

  test("that is slow is told the newest, and not what was in between", async () => {
    const at = path();
    const { feed, until } = await publisher(at);
    feed.publish(one);
    const proxy = subscriber(at, "slow");
    const { promise, resolve } = Promise.withResolvers<void>();
    let held = false;
    proxy.hold = async () => {
      held = true;
      await promise;
    };
    await until(() => feed.states().length === 1);
    const quick = subscriber(at, "quick");
    await quick.until(() => quick.got.length === 1);
    expect(held).toBe(true);
    feed.publish(two);
    feed.publish(three);
    await until(() => feed.states().find(({ name }) => name === "quick")?.version === three.version);
    resolve();
    await until(() => feed.states().every(({ version }) => version === three.version));
    expect(proxy.got).toEqual([one, three]);
  });

  test("with the newest from disk is sent nothing, and then what changed", async () => {
    const at = path();
    const { feed, until } = await publisher(at);
    feed.publish(one);
    const proxy = subscriber(at, "proxy", one);
    await until(() => feed.states()[0]?.version === one.version);
    feed.publish(two);
    await until(() => feed.states()[0]?.version === two.version);
    expect(proxy.got).toEqual([two]);
    expect(proxy.got[0]!.upstreams[0]).toBe(one.upstreams[0]!);
  });
});

describe("either end may go", () => {
  test("the publisher, and another takes its place", async () => {
    const at = path();
    const first = await publisher(at);
    first.feed.publish(one);
    const proxy = subscriber(at, "proxy");
    await first.until(() => first.feed.states()[0]?.version === one.version);
    await first.feed.close();
    await proxy.until(() => proxy.states.includes("lost"));
    const second = await publisher(at);
    second.feed.publish(three);
    await second.until(() => second.feed.states()[0]?.version === three.version);
    expect(proxy.got).toEqual([one, three]);
  });

  test("the publisher may come later", async () => {
    const at = path();
    const proxy = subscriber(at, "proxy");
    await proxy.until(() => proxy.states.includes("lost"));
    const { feed, until } = await publisher(at);
    feed.publish(one);
    await until(() => feed.states()[0]?.version === one.version);
  });

  test("a subscriber that is gone is forgotten", async () => {
    const at = path();
    const { feed, until } = await publisher(at);
    const proxy = subscriber(at, "proxy");
    await until(() => feed.states().length === 1);
    await proxy.subscriber.close();
    await until(() => feed.states().length === 0);
  });
});

describe("what a subscriber has in use is what it says", () => {
  test("also where it connects anew while it takes up a table", async () => {
    const at = path();
    const first = await publisher(at);
    first.feed.publish(one);
    const proxy = subscriber(at, "proxy");
    await first.until(() => first.feed.states()[0]?.version === one.version);
    const held = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    proxy.hold = async ({ version }) => {
      if (version !== two.version) return;
      begun.resolve();
      await held.promise;
    };
    first.feed.publish(two);
    await begun.promise;
    await first.feed.close();
    const met = Promise.withResolvers<void>();
    const said: unknown[] = [];
    const signal = new Signal();
    await rawPublisher(at, (socket) => {
      const reader = new FrameReader();
      met.resolve();
      socket.on("data", (bytes) => {
        said.push(...reader.read(bytes));
        signal.raise();
      });
    });
    await met.promise;
    held.resolve();
    await signal.until(() => said.length > 0);
    expect(said[0]).toMatchObject({ type: "hello", version: two.version });
  });

  test.each([
    ["a delta for another table", { type: "delta", delta: { ...emptyDelta(), base: "other" } }],
    ["a delta that is none", { type: "delta" }],
    ["a snapshot that is none", { type: "snapshot", snapshot: null }],
  ])("%s makes it connect anew and start over", async (_, message) => {
    const at = path();
    const answers = [[{ type: "snapshot", snapshot: one }, message], [{ type: "snapshot", snapshot: two }]];
    await rawPublisher(at, (socket) => {
      const script = answers.shift() ?? [];
      // One for its hello, one for its answer.
      socket.on("data", () => {
        const next = script.shift();
        if (next !== undefined) socket.write(frame(next));
      });
    });
    const proxy = subscriber(at, "proxy");
    await proxy.until(() => proxy.got.length === 2);
    expect(proxy.got).toEqual([one, two]);
    expect(proxy.states.slice(0, 3)).toEqual(["connected", "lost", "connected"]);
  });
});

function emptyDelta() {
  const nothing = { put: [], remove: [] };
  return { version: "next", hosts: nothing, settings: nothing, upstreams: nothing };
}

async function rawPublisher(at: string, accept: (socket: Socket) => void): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    accept(socket);
  });
  await new Promise<void>((resolve) => server.listen(at, resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

describe("a publisher's socket", () => {
  test("that another listens on stays there", async () => {
    const at = path();
    const { feed, until } = await publisher(at);
    await expect(publisher(at)).rejects.toThrow("listens");
    feed.publish(one);
    subscriber(at, "proxy");
    await until(() => feed.states()[0]?.version === one.version);
  });

  test("is no file of another kind", async () => {
    const at = path();
    writeFileSync(at, "precious");
    await expect(publisher(at)).rejects.toThrow("no socket");
    expect(readFileSync(at, "utf8")).toBe("precious");
  });
});

describe("a refusal", () => {
  test("is over when the table before is the newest again", async () => {
    const at = path();
    const { feed, until } = await publisher(at);
    feed.publish(one);
    const proxy = subscriber(at, "proxy");
    await until(() => feed.states()[0]?.version === one.version);
    proxy.hold = async () => {
      throw new Error("no");
    };
    feed.publish(two);
    await until(() => feed.states()[0]?.refused !== undefined);
    feed.publish(one);
    expect(feed.states()).toEqual([{ name: "proxy", version: one.version }]);
  });
});

describe("what is no subscriber is shown the door", () => {
  test.each([
    ["garbage", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    ["another protocol", frame({ type: "hello", protocol: 99, name: "x", version: "" })],
    ["an answer to nothing", frame({ type: "ack", version: "1" })],
  ])("%s", async (_, bytes) => {
    const at = path();
    const { feed, errors, until } = await publisher(at);
    const socket = connect({ path: at }, () => socket.write(bytes));
    socket.on("error", () => {});
    await until(() => errors.length === 1);
    expect(feed.states()).toEqual([]);
    socket.destroy();
  });
});

function frame(message: object): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

describe("the file", () => {
  test("gives what was kept last", async () => {
    const file = join(temporaryFolder(), "snapshot.json");
    expect(readSnapshotFile(file)).toBeUndefined();
    const errors: Error[] = [];
    const kept = new SnapshotFile(file, (error) => errors.push(error));
    kept.keep(one);
    kept.keep(two);
    await kept.close();
    expect(readSnapshotFile(file)).toEqual(two);
    expect(errors).toEqual([]);
  });

  test("is there at once where none was written lately, and soon after for what follows", async () => {
    const file = join(temporaryFolder(), "snapshot.json");
    const kept = new SnapshotFile(file, () => {});
    for (const snapshot of [one, two]) {
      kept.keep(snapshot);
      const begunMs = performance.now();
      while (!existsSync(file) || readSnapshotFile(file)?.version !== snapshot.version) {
        expect(performance.now() - begunMs).toBeLessThan(5_000);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    await kept.close();
  });

  test.each([
    ["half of it", JSON.stringify(one).slice(0, 40)],
    ["another content", JSON.stringify({ ...one, upstreams: [] })],
    ["another format", JSON.stringify({ ...one, format: 0 })],
    ["nothing", "null"],
  ])("%s is not taken up", (_, text) => {
    const file = join(temporaryFolder(), "snapshot.json");
    writeFileSync(file, text);
    expect(() => readSnapshotFile(file)).toThrow();
  });

  test("that cannot be written is an error, told", async () => {
    const errors: Error[] = [];
    const kept = new SnapshotFile(join(temporaryFolder(), "no", "such.json"), (error) => errors.push(error));
    kept.keep(one);
    await kept.close();
    expect(errors.map(({ message }) => message)[0]).toContain("ENOENT");
  });
});
