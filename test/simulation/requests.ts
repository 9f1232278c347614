/** The requests of simulated clients: valid ones, each with a name of its own that app and log give back. */
import type { World } from "./world.ts";

export interface PlannedRequest {
  /** `3.1`: the second request of the fourth client. */
  readonly id: string;
  readonly method: "GET" | "HEAD" | "POST" | "PUT";
  readonly version: "HTTP/1.0" | "HTTP/1.1";
  readonly payload: Buffer;
  readonly chunked: boolean;
  readonly expectsContinue: boolean;
  /** The client asks for the connection to go on. */
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
  /** For a file instead of an app. */
  readonly file: boolean;
  readonly head: Buffer;
  readonly body: Buffer;
}

export function planRequest(world: World, id: string, isLast: boolean): PlannedRequest {
  const method = world.random.pick(["GET", "GET", "GET", "HEAD", "POST", "POST", "PUT"] as const);
  const version = world.oneIn(8) ? "HTTP/1.0" : "HTTP/1.1";
  const hasBody = method === "POST" || method === "PUT";
  const file = !hasBody && world.oneIn(6);
  const path = file ? "/file" : "/echo";
  const upgrade =
    !file && isLast && !hasBody && method === "GET" && version === "HTTP/1.1" && world.oneIn(12);
  const payload = hasBody ? pattern(id, bodyBytes(world)) : Buffer.alloc(0);
  const chunked = hasBody && version === "HTTP/1.1" && world.oneIn(3);
  const expectsContinue = hasBody && version === "HTTP/1.1" && world.oneIn(6);
  const keepAlive = !world.oneIn(6);
  const fields = [`Host: ${world.random.pick(["sim.test", "Sim.Test:8080"])}`];
  if (!keepAlive) fields.push("Connection: close");
  else if (upgrade) fields.push("Connection: Upgrade", "Upgrade: echo");
  else if (version === "HTTP/1.0") fields.push("Connection: keep-alive");
  if (chunked) fields.push("Transfer-Encoding: chunked");
  else if (hasBody) fields.push(`Content-Length: ${payload.length}`);
  if (expectsContinue) fields.push("Expect: 100-continue");
  return {
    id,
    method,
    version,
    payload,
    chunked,
    expectsContinue,
    keepAlive: keepAlive && !upgrade,
    upgrade: upgrade && keepAlive,
    file,
    head: Buffer.from(`${method} ${path}?id=${id}; ${version}\r\n${fields.join("\r\n")}\r\n\r\n`),
    body: chunked ? chunks(world, payload) : payload,
  };
}

/** Mostly small, now and then more than every buffer on the way. */
export function bodyBytes(world: World): number {
  const kind = world.random.below(20);
  if (kind === 0) return 0;
  if (kind < 14) return world.between(1, 600);
  if (kind < 19) return world.between(600, 20_000);
  return world.between(20_000, 300_000);
}

/** Bytes that differ from those of any other name, at any offset of some length. */
export function pattern(name: string, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let line = 0;
  for (let at = 0; at < length; ) at += bytes.write(`${name}:${line++}\r\n`, at, "latin1");
  return bytes;
}

export function chunks(world: World, payload: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < payload.length; ) {
    const size = world.between(1, payload.length - at);
    parts.push(Buffer.from(`${size.toString(16)}\r\n`), payload.subarray(at, at + size), Buffer.from("\r\n"));
    at += size;
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}
