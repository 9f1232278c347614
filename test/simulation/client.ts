/** Simulated clients: each sends its requests over one connection, well or badly, and keeps all that comes back. */
import { isInterim, parseMessages } from "../harness/http-message.ts";
import { maxPieceBytes, type Peer, randomPieces, SimulatedConnection } from "./connection.ts";
import type { PlannedRequest } from "./requests.ts";
import type { World } from "./world.ts";

/** A client that is not answered goes away. */
const patienceMs = 40_000;
/** How long a client waits for `100 Continue` before it sends its body all the same. */
const continueMs = 50;

/** What a client does wrong, once it has sent so many bytes. */
export interface Misdeed {
  readonly kind: "fin" | "close" | "reset" | "stall" | "garbage";
  readonly atByte: number;
}

export interface ClientPlan {
  readonly requests: readonly PlannedRequest[];
  /** Sends ahead, without waiting for answers. */
  readonly pipelines: boolean;
  readonly misdeed: Misdeed | undefined;
  /** Sends FIN right after the last request and reads on. */
  readonly halfCloses: boolean;
  /** Takes nothing more after so many bytes. */
  readonly stopsReadingAt: number;
  readonly readBytes: number;
  readonly maxReadPauseMs: number;
}

export class Client implements Peer {
  readonly plan: ClientPlan;
  readonly connection: SimulatedConnection;
  received: Buffer = Buffer.alloc(0);
  /** How the connection ended, as this client saw it. */
  end: "open" | "fin" | "reset" | "gave_up" = "open";
  /** Handed to the kernel; misdeeds not counted. */
  sentBytes = 0;
  /** The most that the gateway held of what this client had sent: taken from it, not yet given to an app. */
  heldBytes = 0;
  private readonly world: World;
  /** Of each request, where it ends in all that is sent. */
  private readonly ends: readonly number[];
  private readonly wire: Buffer;
  private allowedBytes = 0;
  private reading = false;
  private sending = false;
  private over = false;
  private tunnelSent = 0;

  constructor(world: World, plan: ClientPlan, remotePort: number) {
    this.world = world;
    this.plan = plan;
    this.wire = Buffer.concat(plan.requests.flatMap(({ head, body }) => [head, body]));
    let end = 0;
    this.ends = plan.requests.map(({ head, body }) => (end += head.length + body.length));
    this.connection = new SimulatedConnection(world, {
      pieces: randomPieces(world),
      toGatewayBytes: world.random.pick([2000, 20_000, maxPieceBytes]),
      toPeerBytes: world.random.pick([512, 4000, 32_768, 262_144]),
      finCloses: false,
      remotePort,
    });
    this.connection.peer = this;
  }

  begin(): void {
    this.allow();
    this.world.after(patienceMs, () => {
      if (!this.over) this.finish("gave_up", () => this.connection.peerClose());
    });
  }

  /** Whether every byte of request `index` was handed to the kernel. */
  sentWhole(index: number): boolean {
    return this.sentBytes >= this.ends[index]!;
  }

  /** Where the body of request `id` begins in all that is sent. */
  bodyAt(id: string): number {
    const index = this.plan.requests.findIndex((request) => request.id === id);
    return this.ends[index]! - this.plan.requests[index]!.body.length;
  }

  /** Whether the gateway got the head of request `index`. */
  headDelivered(index: number): boolean {
    const start = index === 0 ? 0 : this.ends[index - 1]!;
    return this.connection.deliveredBytes >= start + this.plan.requests[index]!.head.length;
  }

  /** Of the requests as sent, up to garbage that took the place of one. */
  methods(): string[] {
    const { requests, misdeed } = this.plan;
    const whole = requests.filter((_, i) => misdeed?.kind !== "garbage" || this.ends[i]! <= misdeed.atByte);
    return whole.map(({ method }) => method);
  }

  readable(): void {
    if (this.reading || this.over) return;
    if (this.received.length >= this.plan.stopsReadingAt && !this.connection.peerSawEnd) return;
    this.reading = true;
    this.world.after(this.world.random.below(this.plan.maxReadPauseMs * 10 + 1) / 10, () => this.read());
  }

  sendable(): void {
    this.sendSoon();
  }

  reset(): void {
    if (!this.over) this.finish("reset", () => {});
  }

  private read(): void {
    this.reading = false;
    if (this.over) return;
    const bytes = this.connection.peerRead(this.plan.readBytes);
    this.received = Buffer.concat([this.received, bytes]);
    if (this.connection.peerSawEnd) {
      this.finish("fin", () => this.connection.peerClose());
      return;
    }
    if (bytes.length > 0) this.consider();
    if (this.connection.unreadBytes > 0) this.readable();
  }

  /** What the answers so far allow to be sent. */
  private consider(): void {
    const { messages, responses, rest } = parseMessages(this.received, this.methods());
    const whole = responses.filter(({ complete }) => complete).length;
    if (responses.at(-1)?.status === 101) this.tunnel(rest);
    else if (whole === this.plan.requests.length) this.leave();
    else if (responses.some((response) => response.header("Connection") === "close")) return;
    else this.allow(whole, messages.length > 0 && isInterim(messages.at(-1)!.status));
  }

  private allow(answered = 0, continued = false): void {
    const { requests, pipelines } = this.plan;
    const until = pipelines ? requests.length : answered + 1;
    for (let i = answered; i < until; i++) {
      const { body, expectsContinue, keepAlive } = requests[i]!;
      const end = this.ends[i]!;
      if (expectsContinue && body.length > 0 && !pipelines && !continued && this.allowedBytes < end) {
        this.allowUpTo(end - body.length);
        this.world.after(continueMs, () => this.allowUpTo(end));
        return;
      }
      this.allowUpTo(end);
      if (!keepAlive) return;
    }
  }

  private allowUpTo(end: number): void {
    if (end <= this.allowedBytes) return;
    this.allowedBytes = end;
    this.sendSoon();
  }

  private sendSoon(): void {
    if (this.sending || this.over || this.sentBytes >= this.allowedBytes) return;
    this.sending = true;
    this.world.after(this.world.random.below(30) / 10, () => this.send());
  }

  private send(): void {
    this.sending = false;
    if (this.over) return;
    const { misdeed } = this.plan;
    const until = Math.min(this.allowedBytes, misdeed?.atByte ?? Number.POSITIVE_INFINITY);
    const rest = this.wire.subarray(this.sentBytes, until);
    const piece = rest.subarray(0, this.world.between(Math.min(rest.length, 500), rest.length));
    const taken = this.connection.peerSend(piece);
    this.sentBytes += taken;
    if (misdeed !== undefined && this.sentBytes >= misdeed.atByte) this.misbehave(misdeed);
    else if (this.sentBytes === this.wire.length && this.plan.halfCloses) this.connection.peerEnd();
    else if (taken > 0) this.sendSoon();
  }

  private misbehave({ kind }: Misdeed): void {
    this.allowedBytes = 0;
    if (kind === "fin") this.connection.peerEnd();
    else if (kind === "close") this.finish("gave_up", () => this.connection.peerClose());
    else if (kind === "reset") this.finish("gave_up", () => this.connection.peerReset());
    else if (kind === "garbage") this.connection.peerSend(Buffer.from("\0garbage\r\n\r\n"));
  }

  /** Sends a little, and ends when it is back, or after some time. */
  private tunnel(back: Uint8Array): void {
    if (this.tunnelSent === 0) {
      this.tunnelSent = this.connection.peerSend(tunnelBytes);
      if (this.world.oneIn(4)) this.world.after(this.world.random.below(30), () => this.leave());
    } else if (back.length >= this.tunnelSent) this.leave();
  }

  /** All is answered: closes now or later, or lets the gateway do it. */
  private leave(): void {
    if (this.world.oneIn(3)) return;
    this.world.after(this.world.random.below(20), () => {
      if (!this.over) this.finish("gave_up", () => this.connection.peerClose());
    });
  }

  private finish(end: "fin" | "reset" | "gave_up", how: () => void): void {
    this.over = true;
    this.end = end;
    how();
  }
}

export const tunnelBytes: Buffer = Buffer.from("through the tunnel ".repeat(50));
