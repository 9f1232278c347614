/** The uWSGI servers of the simulation: a dialer that reaches them or does not, and what they do with each request. */
import type { Dialer, DialOwner, DialTarget } from "../../src/net/stream.ts";
import { decodePacket, type UwsgiPacket } from "../../src/uwsgi/decoder.ts";
import { type Answer, planAnswer } from "./answers.ts";
import { maxPieceBytes, type Peer, randomPieces, SimulatedConnection } from "./connection.ts";
import type { PlannedRequest } from "./requests.ts";
import type { World } from "./world.ts";

/** The slowest that a busy app is between two reads or writes; well within every timeout. */
const maxPauseMs = 6;

/** What an app got and gave over one connection. */
export interface Delivery {
  readonly number: number;
  readonly connection: SimulatedConnection;
  /** `""` until enough came to tell. */
  id: string;
  packet: UwsgiPacket | undefined;
  received: Buffer;
  answer: Answer | undefined;
  /** Of `answer.wire`, handed to the kernel. */
  sentBytes: number;
  /** Of a tunnel. */
  tunnel: boolean;
  /** The most that the gateway held of the answer: taken from the app, not yet given to the client. */
  heldBytes: number;
}

export interface Apps {
  readonly dialer: Dialer;
  readonly deliveries: readonly Delivery[];
}

/** `writtenTo`: bytes that the gateway has written to the client of a request. */
export function createApps(
  world: World,
  requests: ReadonlyMap<string, PlannedRequest>,
  calm: boolean,
  writtenTo: (id: string) => number,
): Apps {
  const deliveries: Delivery[] = [];
  const accept = (owner: DialOwner) => {
    const connection = new SimulatedConnection(world, {
      pieces: randomPieces(world),
      toGatewayBytes: world.random.pick([512, 8192, maxPieceBytes]),
      toPeerBytes: world.random.pick([512, 8192, 262_144]),
      finCloses: true,
      remotePort: 0,
    });
    const delivery: Delivery = {
      number: deliveries.length,
      connection,
      id: "",
      packet: undefined,
      received: Buffer.alloc(0),
      answer: undefined,
      sentBytes: 0,
      tunnel: false,
      heldBytes: 0,
    };
    deliveries.push(delivery);
    let before: number | undefined;
    connection.onDelivered = () => {
      const written = writtenTo(delivery.id);
      before ??= written;
      const held = connection.deliveredBytes - (written - before);
      delivery.heldBytes = Math.max(delivery.heldBytes, held);
    };
    connection.peer = new AppConnection(world, delivery, requests, calm);
    connection.owner = owner;
    owner.connected(connection);
  };
  return { deliveries, dialer: { dial: (target, owner) => dial(world, target, owner, accept, calm) } };
}

/** As the kernel does it: a Unix socket refuses within the call, others later. */
function dial(
  world: World,
  target: DialTarget,
  owner: DialOwner,
  accept: (owner: DialOwner) => void,
  calm: boolean,
): void {
  const isUnix = "unix" in target;
  // A full backlog is waited for, so it belongs to calm weather too.
  if (isUnix && world.oneIn(30)) {
    owner.dialFailed("EAGAIN");
    return;
  }
  if (!calm && world.oneIn(6)) {
    const code = world.random.pick(isUnix ? UNIX_FAILURES : TCP_FAILURES);
    if (isUnix) owner.dialFailed(code);
    else if (code === "ETIMEDOUT") world.after(1500, () => owner.dialFailed(code));
    else world.soon(() => owner.dialFailed(code));
    return;
  }
  // A backlog that takes longer than the gateway waits.
  if (!calm && !isUnix && world.oneIn(20)) world.after(world.between(100, 1500), () => accept(owner));
  else world.soon(() => accept(owner));
}

const UNIX_FAILURES = ["ECONNREFUSED", "ENOENT", "EAGAIN", "EACCES"];
const TCP_FAILURES = ["ECONNREFUSED", "EHOSTUNREACH", "ETIMEDOUT"];

class AppConnection implements Peer {
  private readonly world: World;
  private readonly delivery: Delivery;
  private readonly requests: ReadonlyMap<string, PlannedRequest>;
  private readonly calm: boolean;
  private readonly readBytes: number;
  private reading = false;
  private sending = false;
  private over = false;
  private echoed = 0;

  constructor(
    world: World,
    delivery: Delivery,
    requests: ReadonlyMap<string, PlannedRequest>,
    calm: boolean,
  ) {
    this.world = world;
    this.delivery = delivery;
    this.requests = requests;
    this.calm = calm;
    this.readBytes = world.random.pick([2500, 9000, 1_000_000]);
  }

  readable(): void {
    if (this.reading || this.over || this.delivery.answer?.mishap === "never_reads") return;
    this.reading = true;
    this.world.after(this.world.random.below(maxPauseMs * 10) / 10, () => this.read());
  }

  sendable(): void {
    if (this.delivery.sentBytes > 0 || this.delivery.tunnel) this.sendSoon();
  }

  reset(): void {
    this.over = true;
  }

  private read(): void {
    this.reading = false;
    const { connection } = this.delivery;
    if (this.over) return;
    const bytes = connection.peerRead(this.readBytes);
    this.delivery.received = Buffer.concat([this.delivery.received, bytes]);
    if (this.delivery.answer === undefined) this.recognize();
    this.consider();
    if (connection.peerSawEnd && this.delivery.tunnel) this.end();
    else if (connection.unreadBytes > 0) this.readable();
  }

  /** Which request it is: QUERY_STRING is the first var. */
  private recognize(): void {
    const { delivery } = this;
    const id = /id=([\d.]+);/.exec(delivery.received.toString("latin1", 0, 200))?.[1];
    if (id === undefined) return;
    delivery.id = id;
    const request = this.requests.get(id);
    if (request === undefined) throw new Error(`an app got a request that nobody sent: ${id}`);
    delivery.answer = planAnswer(this.world, request, delivery.number, this.calm);
    delivery.tunnel = request.upgrade && delivery.answer.mishap === "none";
  }

  /** Begins to answer when there is enough to answer to. */
  private consider(): void {
    const { delivery } = this;
    const { answer } = delivery;
    if (answer === undefined || answer.mishap === "silent" || answer.mishap === "never_reads") return;
    delivery.packet ??= decodePacket(delivery.received);
    if (delivery.packet === undefined) return;
    const request = this.requests.get(delivery.id)!;
    if (answer.early || bodyOf(delivery, request).whole) this.sendSoon();
  }

  private sendSoon(): void {
    if (this.sending || this.over) return;
    this.sending = true;
    this.world.after(this.world.random.below(maxPauseMs * 10) / 10, () => this.send());
  }

  private send(): void {
    this.sending = false;
    if (this.over) return;
    if (this.delivery.tunnel) {
      this.echo();
      return;
    }
    const answer = this.delivery.answer!;
    const { sentBytes, connection } = this.delivery;
    const rest = answer.wire.subarray(sentBytes, answer.cutAt);
    const piece = rest.subarray(0, this.world.between(1, rest.length));
    this.delivery.sentBytes += connection.peerSend(piece);
    if (this.delivery.sentBytes < answer.cutAt) {
      if (piece.length > 0 && this.delivery.sentBytes > sentBytes) this.sendSoon();
    } else if (answer.mishap === "reset") this.finish(() => connection.peerReset());
    else this.end();
  }

  private echo(): void {
    const { delivery } = this;
    const head = Buffer.from("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n\r\n");
    const all = Buffer.concat([head, delivery.received.subarray(delivery.packet!.bytesUsed)]);
    this.echoed += delivery.connection.peerSend(all.subarray(this.echoed));
    if (!this.calm && this.world.oneIn(20)) this.end();
  }

  private end(): void {
    this.finish(() => this.delivery.connection.peerClose());
  }

  private finish(how: () => void): void {
    this.over = true;
    how();
  }
}

/** The request body as an app has it so far, with the chunked coding taken off. */
export function bodyOf(delivery: Delivery, request: PlannedRequest): { bytes: Buffer; whole: boolean } {
  const { packet } = delivery;
  if (packet === undefined) return { bytes: Buffer.alloc(0), whole: false };
  const raw = delivery.received.subarray(packet.bytesUsed);
  const length = packet.vars.find(([name]) => Buffer.from(name).toString() === "CONTENT_LENGTH")![1];
  if (length.length > 0 || !request.chunked) {
    return { bytes: raw, whole: raw.length >= Number(Buffer.from(length).toString()) };
  }
  return readChunks(raw);
}

function readChunks(raw: Buffer): { bytes: Buffer; whole: boolean } {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = raw.indexOf("\r\n", at);
    if (lineEnd < 0) return { bytes: Buffer.concat(parts), whole: false };
    const size = Number.parseInt(raw.toString("latin1", at, lineEnd), 16);
    if (Number.isNaN(size))
      throw new Error(`an app got no chunk size: ${raw.toString("latin1", at, lineEnd)}`);
    if (size === 0) return { bytes: Buffer.concat(parts), whole: raw.length >= lineEnd + 4 };
    parts.push(raw.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
