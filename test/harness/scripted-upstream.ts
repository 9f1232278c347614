/**
 * An upstream that does what a test says, byte by byte: the peer for everything that a well-behaved uWSGI never
 * does. It speaks uwsgi just enough to read the request; NGINX and the gateway can both be pointed at it.
 */
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { onStopAll, temporaryFolder } from "./cleanup.ts";
import { freePort } from "./ports.ts";

export interface UwsgiPacket {
  readonly modifier1: number;
  readonly modifier2: number;
  /** Every pair in the order sent, repeated keys included; one byte per character. */
  readonly pairs: readonly (readonly [key: string, value: string])[];
  /** The last value of a key. */
  get(key: string): string | undefined;
}

export interface UpstreamConnection {
  /** The uwsgi header and vars. Rejects if the peer ends before they are whole. */
  readPacket(): Promise<UwsgiPacket>;
  /** Exactly `length` bytes of what follows. Rejects if the peer ends before. */
  readBytes(length: number): Promise<Uint8Array>;
  /** Everything until the peer ends. */
  readToEnd(): Promise<Uint8Array>;
  /** Strings go out one byte per character. Resolves once the kernel took them. */
  send(data: string | Uint8Array): Promise<void>;
  /** Each piece as a write of its own, so that the peer reads them apart. */
  sendPieces(pieces: readonly (string | Uint8Array)[], pauseMs?: number): Promise<void>;
  /** FIN; what was sent is still delivered. */
  end(): void;
  /** RST. */
  reset(): void;
  /** Resolves when the peer has ended or reset. */
  readonly peerClosed: Promise<"ended" | "reset">;
}

export type UpstreamScript = (connection: UpstreamConnection, index: number) => Promise<void> | void;

export interface ScriptedUpstreamOptions {
  readonly socket?: "unix" | "tcp";
  /**
   * What to do with each connection (`index` counts from 0). A text is short for: read the packet and CONTENT_LENGTH bytes of body, send
   * the text, end. The connection is left as it is when the script returns.
   */
  readonly script: UpstreamScript | string | Uint8Array;
}

export interface ScriptedUpstream {
  /** `unix:/path` or `127.0.0.1:port`. */
  readonly address: string;
  /** Connections accepted so far. */
  readonly accepted: () => number;
  /** Connections that are open now. */
  readonly open: () => number;
  /** Every packet read so far. */
  readonly packets: readonly UwsgiPacket[];
  /** What scripts threw; a peer that went away midway is the usual reason. */
  readonly failures: readonly unknown[];
  stop(): Promise<void>;
}

export async function startScriptedUpstream(options: ScriptedUpstreamOptions): Promise<ScriptedUpstream> {
  const script = typeof options.script === "function" ? options.script : cannedReply(options.script);
  const sockets = new Set<Socket>();
  const packets: UwsgiPacket[] = [];
  const failures: unknown[] = [];
  let accepted = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    const run = async () => script(upstreamConnection(socket, packets), accepted++);
    run().catch((error) => failures.push(error));
  });
  const port = options.socket === "tcp" ? await freePort() : undefined;
  const path = port === undefined ? join(temporaryFolder("upstream"), "s") : "";
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port === undefined ? { path } : { port, host: "127.0.0.1" }, resolve);
  });
  const stop = onStopAll(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return {
    address: port === undefined ? `unix:${path}` : `127.0.0.1:${port}`,
    accepted: () => accepted,
    open: () => sockets.size,
    packets,
    failures,
    stop,
  };
}

function cannedReply(reply: string | Uint8Array): UpstreamScript {
  return async (connection) => {
    const packet = await connection.readPacket();
    await connection.readBytes(Number(packet.get("CONTENT_LENGTH") || 0));
    await connection.send(reply);
    connection.end();
  };
}

function upstreamConnection(socket: Socket, packets: UwsgiPacket[]): UpstreamConnection {
  // Joined only when they are taken: a large body comes in many of them.
  const chunks: Buffer[] = [];
  let buffered = 0;
  let closed: "ended" | "reset" | undefined;
  let wake = () => {};
  const peerClosed = new Promise<"ended" | "reset">((resolve) => {
    const close = (how: "ended" | "reset") => {
      closed ??= how;
      resolve(closed);
      wake();
    };
    socket.on("end", () => close("ended"));
    socket.on("error", () => close("reset"));
    socket.on("close", () => close("ended"));
  });
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    buffered += chunk.length;
    wake();
  });

  const fill = async (enough: () => boolean) => {
    while (!enough() && closed === undefined) await new Promise<void>((resolve) => (wake = resolve));
  };
  const take = (length: number) => {
    const joined = Buffer.concat(chunks);
    chunks.splice(0, chunks.length, joined.subarray(length));
    buffered -= length;
    return new Uint8Array(joined.subarray(0, length));
  };
  const readBytes = async (length: number) => {
    await fill(() => buffered >= length);
    if (buffered < length) throw new Error(`peer ${closed} after ${buffered} of ${length} bytes`);
    return take(length);
  };
  const send = (data: string | Uint8Array) =>
    new Promise<void>((resolve) => {
      const done = () => {
        socket.off("close", done);
        resolve();
      };
      socket.once("close", done);
      socket.write(typeof data === "string" ? Buffer.from(data, "latin1") : data, done);
    });
  return {
    peerClosed,
    readBytes,
    send,
    readPacket: async () => {
      const header = Buffer.from(await readBytes(4));
      const packet = decodePacket(header, Buffer.from(await readBytes(header.readUInt16LE(1))));
      packets.push(packet);
      return packet;
    },
    readToEnd: async () => {
      await fill(() => false);
      return take(buffered);
    },
    sendPieces: async (pieces, pauseMs = 5) => {
      for (const [index, piece] of pieces.entries()) {
        if (index > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
        await send(piece);
      }
    },
    end: () => void socket.end(),
    reset: () => void socket.resetAndDestroy(),
  };
}

function decodePacket(header: Buffer, block: Buffer): UwsgiPacket {
  const pairs: [string, string][] = [];
  let position = 0;
  const text = () => {
    const length = block.readUInt16LE(position);
    position += 2 + length;
    if (position > block.length) throw new Error("a var runs past the end of the uwsgi block");
    return block.toString("latin1", position - length, position);
  };
  while (position < block.length) pairs.push([text(), text()]);
  return {
    modifier1: header[0]!,
    modifier2: header[3]!,
    pairs,
    get: (key) => pairs.findLast(([name]) => name === key)?.[1],
  };
}
