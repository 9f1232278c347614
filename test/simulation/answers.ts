/** What a simulated app does with one connection: the answer that it means to give, and what goes wrong with it. */
import { bodyBytes, chunks, type PlannedRequest, pattern } from "./requests.ts";
import type { World } from "./world.ts";

/** What goes wrong. `fin` and `reset` come after `cutAt` bytes of the answer. */
export type Mishap = "none" | "fin" | "reset" | "silent" | "never_reads" | "malformed";

export interface Answer {
  readonly mishap: Mishap;
  readonly cutAt: number;
  /** Begins before the request's body was read. */
  readonly early: boolean;
  readonly framing: "length" | "chunked" | "end";
  readonly status: number;
  /** As the client should get it; nothing for 204 and 304. */
  readonly body: Buffer;
  /** The gateway is to give the file in place of the body. */
  readonly redirect: boolean;
  /** Head, body and framing. */
  readonly wire: Buffer;
  /** Where the body begins in `wire`. */
  readonly bodyAt: number;
}

/** Each is refused, whatever follows. */
const MALFORMED = [
  "HTTP/1.1 20 OK\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
  "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
  "HTTP/1.1 200 OK\r\nName : x\r\n\r\n",
  "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
  "no head at all\r\n\r\n",
];
/** Unless the client asked for it. */
const UNEXPECTED = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n\r\n";

/** What an app may send beyond its Content-Length. */
export const excessBytes = 6;

const INTERIM = [
  "",
  "",
  "",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
];

/** `connection`: the number that the answer carries; `calm`: nothing goes wrong. */
export function planAnswer(
  world: World,
  { id, method, upgrade }: PlannedRequest,
  connection: number,
  calm: boolean,
): Answer {
  const mishap = calm || !world.oneIn(4) ? "none" : world.random.pick(MISHAPS);
  const framing = world.random.pick(["length", "length", "chunked", "end"] as const);
  const status = calm ? 200 : world.random.pick([200, 200, 200, 200, 204, 302, 304, 404, 500, 503]);
  const bodiless = method === "HEAD" || status === 204 || status === 304;
  const body = bodiless ? Buffer.alloc(0) : pattern(`answer ${connection}`, bodyBytes(world));
  const redirect = mishap === "none" && !upgrade && world.oneIn(12);
  const fields = [`X-Id: ${id}`, `X-Connection: ${connection}`];
  if (redirect) fields.push("X-Accel-Redirect: /file");
  if (framing === "length" && status !== 204) fields.push(`Content-Length: ${body.length}`);
  if (framing === "chunked" && !bodiless) fields.push("Transfer-Encoding: chunked");
  const head = Buffer.from(
    mishap === "malformed"
      ? world.random.pick(upgrade ? MALFORMED : [...MALFORMED, UNEXPECTED])
      : `${world.random.pick(INTERIM)}HTTP/1.1 ${status} Simulated\r\n${fields.join("\r\n")}\r\n\r\n`,
  );
  const rest = framing === "chunked" && !bodiless ? chunks(world, body) : body;
  // More than was promised is dropped.
  const excess =
    framing === "length" && !bodiless && world.oneIn(10) ? Buffer.alloc(excessBytes, "x") : Buffer.alloc(0);
  const wire = Buffer.concat([head, rest, excess]);
  return {
    mishap,
    cutAt: mishap === "fin" || mishap === "reset" ? cutAt(world, head.length, wire.length) : wire.length,
    early: world.oneIn(8),
    framing: bodiless ? "length" : framing,
    status,
    body,
    redirect,
    wire,
    bodyAt: head.length,
  };
}

const MISHAPS: readonly Mishap[] = ["fin", "fin", "reset", "reset", "silent", "never_reads", "malformed"];

/** Before, within or behind the head. */
function cutAt(world: World, headBytes: number, wireBytes: number): number {
  const place = world.random.below(3);
  if (place === 0) return 0;
  return place === 1 ? world.random.below(headBytes) : world.between(headBytes, wireBytes);
}
