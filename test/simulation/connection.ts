/**
 * One connection between the gateway and a simulated peer, with the habits of Bun's sockets: `closed` comes from within `close` and
 * `terminate`; a write takes what has room; what was read before a reset is handed over even while paused.
 */
import type { Stream, StreamOwner } from "../../src/net/stream.ts";
import type { World } from "./world.ts";

/** What a peer hears. It is never called from within one of its own calls. */
export interface Peer {
  /** Bytes wait, or the end of them. */
  readable(): void;
  /** There is room to send again. */
  sendable(): void;
  /** The gateway, or the kernel for it, sent a reset. */
  reset(): void;
}

/** The most that is handed to the gateway at once. */
export const maxPieceBytes = 32_768;

export type Pieces = "whole" | "random" | "tiny";

export interface ConnectionTraits {
  /** How what the peer sends is split up. */
  readonly pieces: Pieces;
  readonly toGatewayBytes: number;
  readonly toPeerBytes: number;
  /** A FIN closes the connection from the gateway's side too, as with dialled sockets. */
  readonly finCloses: boolean;
  readonly remotePort: number;
}

/** The first bytes of a connection that come in tiny pieces. */
const tinyBytes = 400;

export class SimulatedConnection implements Stream {
  readonly remoteAddress = "192.0.2.1";
  readonly remotePort: number;
  readonly localPort = 8080;
  owner: StreamOwner | undefined;
  peer: Peer | undefined;
  /** Called when the gateway was handed bytes that it had not held back. */
  onDelivered: () => void = () => {};
  /** Of the peer, so far. */
  acceptedBytes = 0;
  deliveredBytes = 0;
  /** Of the gateway, so far. */
  writtenBytes = 0;
  /** The gateway's side is closed, and its owner was told. */
  closedHere = false;
  private readonly world: World;
  private readonly traits: ConnectionTraits;
  private inbound: Buffer = Buffer.alloc(0);
  private inboundFin = false;
  private inboundFinSeen = false;
  private outbound: Buffer = Buffer.alloc(0);
  private outboundFin = false;
  private paused = false;
  private delivering = false;
  private wantsRoom = false;
  private shut = false;
  private peerGone = false;
  private resetToGateway = false;
  private resetToPeer = false;

  constructor(world: World, traits: ConnectionTraits) {
    this.world = world;
    this.traits = traits;
    this.remotePort = traits.remotePort;
  }

  write(bytes: Uint8Array, offset: number, length: number): number {
    if (offset < 0 || length < 0 || offset + length > bytes.length)
      throw new RangeError("write beyond its bytes");
    if (this.closedHere || this.shut) return -1;
    if (this.resetToGateway && this.world.oneIn(2)) return -1;
    if (this.peerGone) {
      this.resetGateway(true);
      return length;
    }
    const room = Math.max(0, this.traits.toPeerBytes - this.outbound.length);
    let taken = Math.min(room, length);
    // At first enough to tell whose request it is.
    if (taken > 200 && this.world.oneIn(5)) taken = this.world.between(200, taken);
    this.outbound = Buffer.concat([this.outbound, bytes.subarray(offset, offset + taken)]);
    this.writtenBytes += taken;
    if (taken < length) {
      this.wantsRoom = true;
      if (taken < room) this.world.soon(() => this.offerRoom());
    }
    if (taken > 0) this.world.soon(() => this.peer?.readable());
    return taken;
  }

  shutdown(): void {
    if (this.closedHere || this.shut) return;
    this.shut = true;
    this.outboundFin = true;
    this.world.soon(() => this.peer?.readable());
  }

  close(): void {
    if (this.closedHere) return;
    this.shut = true;
    // The kernel answers bytes that nobody will read with a reset, which may overtake what was sent.
    if (this.inbound.length > 0) this.resetPeer();
    else this.outboundFin = true;
    this.world.soon(() => this.peer?.readable());
    this.closedAt(undefined);
  }

  terminate(): void {
    if (this.closedHere) return;
    this.resetPeer();
    this.closedAt(undefined);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.deliverSoon();
  }

  /** Bytes that the peer reads, or none. */
  peerRead(maxBytes: number): Buffer {
    const taken = this.outbound.subarray(0, maxBytes);
    this.outbound = this.outbound.subarray(taken.length);
    if (taken.length > 0 && (this.wantsRoom || this.world.oneIn(20))) this.world.soon(() => this.offerRoom());
    return taken;
  }

  get unreadBytes(): number {
    return this.outbound.length;
  }

  /** All was read, and no more will come. */
  get peerSawEnd(): boolean {
    return this.outboundFin && this.outbound.length === 0;
  }

  /** Hands bytes to the peer's kernel; gives how many it took. */
  peerSend(bytes: Buffer): number {
    if (this.peerGone || this.inboundFin || this.resetToPeer) return bytes.length;
    if (this.closedHere) {
      this.resetPeer();
      return bytes.length;
    }
    const taken = Math.min(bytes.length, this.traits.toGatewayBytes - this.inbound.length);
    this.inbound = Buffer.concat([this.inbound, bytes.subarray(0, taken)]);
    this.acceptedBytes += taken;
    this.deliverSoon();
    return taken;
  }

  /** FIN; the peer reads on. */
  peerEnd(): void {
    this.inboundFin = true;
    this.deliverSoon();
  }

  /** The peer's process is gone, in good order: more bytes from the gateway draw a reset. */
  peerClose(): void {
    if (this.peerGone) return;
    this.peerGone = true;
    this.inboundFin = true;
    if (this.outbound.length > 0) this.resetGateway(true);
    else this.deliverSoon();
  }

  peerReset(): void {
    if (this.peerGone) return;
    this.peerGone = true;
    this.resetGateway(this.world.oneIn(2));
  }

  private offerRoom(): void {
    if (this.closedHere || this.owner === undefined) return;
    this.wantsRoom = false;
    this.owner.writable();
  }

  /** `keepsBytes`: what came before the reset can still be read. */
  private resetGateway(keepsBytes: boolean): void {
    if (this.resetToGateway || this.closedHere) return;
    this.resetToGateway = true;
    this.world.soon(() => {
      const rest = this.inbound;
      this.inbound = Buffer.alloc(0);
      if (keepsBytes && rest.length > 0 && !this.closedHere) this.deliver(rest);
      this.closedAt(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
    });
  }

  private resetPeer(): void {
    if (this.resetToPeer) return;
    this.resetToPeer = true;
    this.outboundFin = false;
    this.outbound = this.outbound.subarray(0, this.world.random.below(this.outbound.length + 1));
    this.inbound = Buffer.alloc(0);
    this.world.soon(() => {
      if (!this.peerGone) this.peer?.reset();
    });
  }

  private closedAt(error: Error | undefined): void {
    if (this.closedHere) return;
    this.closedHere = true;
    this.inbound = Buffer.alloc(0);
    this.owner?.closed(error);
  }

  private deliverSoon(): void {
    if (this.delivering || this.inboundFinSeen || this.paused) return;
    if (this.inbound.length === 0 && !this.inboundFin) return;
    this.delivering = true;
    this.world.soon(() => this.deliverNext());
  }

  private deliverNext(): void {
    this.delivering = false;
    if (this.closedHere || this.paused || this.resetToGateway || this.owner === undefined) return;
    if (this.inbound.length > 0) {
      const piece = this.inbound.subarray(0, this.pieceBytes());
      this.inbound = this.inbound.subarray(piece.length);
      this.world.soon(() => this.peer?.sendable());
      this.deliver(piece);
      this.onDelivered();
    } else if (this.inboundFin && !this.inboundFinSeen) {
      this.inboundFinSeen = true;
      if (this.traits.finCloses) this.closedAt(undefined);
      else this.owner.ended();
    }
    this.deliverSoon();
  }

  private deliver(piece: Buffer): void {
    this.deliveredBytes += piece.length;
    this.owner?.received(Buffer.from(piece));
  }

  private pieceBytes(): number {
    const all = this.inbound.length;
    if (this.traits.pieces === "whole") return all;
    const isTiny = this.traits.pieces === "tiny" && this.deliveredBytes < tinyBytes;
    return this.world.between(1, isTiny ? Math.min(3, all) : all);
  }
}

export function randomPieces(world: World): Pieces {
  return world.random.pick(["whole", "random", "random", "tiny"]);
}
