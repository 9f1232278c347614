/**
 * The one view of a connection that the request path has: few calls, no buffering inside, so that every byte that
 * waits is counted by whoever makes it wait. Bun's sockets fit it as they are; tests put a simulated one in.
 */

export interface Stream {
  /**
   * Hands `bytes[offset, offset + length)` to the kernel at once and returns how many bytes it took. Fewer than `length`:
   * wait for `writable`. Negative: the connection is gone, `closed` follows or came. The bytes are not kept.
   */
  write(bytes: Uint8Array, offset: number, length: number): number;
  /** Sends FIN; reading goes on. */
  shutdown(): void;
  /** Closes both ways; what the kernel took is still delivered. `closed` follows. */
  close(): void;
  /** Closes with a reset: the peer learns that what it has is not whole. `closed` follows. */
  terminate(): void;
  pause(): void;
  resume(): void;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
}

/** Who reads a stream. No call comes after `closed`. */
export interface StreamOwner {
  /** The buffer is the receiver's to keep. */
  received(bytes: Buffer): void;
  /** There may be room again; can come without need. */
  writable(): void;
  /** The peer sent FIN; writing may go on. */
  ended(): void;
  closed(error: Error | undefined): void;
}

export interface DialOwner extends StreamOwner {
  /** What it asked to be connected to. */
  readonly target: DialTarget;
  connected(stream: Stream): void;
  /** In place of `connected`; nothing follows. `code` is the errno's name: ECONNREFUSED, ENOENT, ETIMEDOUT, EAGAIN for a full backlog … */
  dialFailed(code: string): void;
}

/** Where to connect: an endpoint's address, taken apart once. */
export type DialTarget = { readonly unix: string } | { readonly hostname: string; readonly port: number };

export interface Dialer {
  dial(target: DialTarget, owner: DialOwner): void;
}

/** `unix:/path`, `10.0.0.1:29000` or `[fd00::1]:29000`. Throws `RangeError`. */
export function parseAddress(address: string): DialTarget {
  if (address.startsWith("unix:")) return { unix: address.slice("unix:".length) };
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address);
  const port = Number(found?.[3]);
  if (!found || port < 1 || port > 65_535) throw new RangeError(`not an endpoint address: ${address}`);
  return { hostname: found[1] ?? found[2]!, port };
}
