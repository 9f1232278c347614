/**
 * Reads a uwsgi packet, as a uWSGI server does (`uwsgi_parse_vars` in uWSGI's core/protocol.c): for the
 * scripted upstreams of the tests, and as the counterpart that the packet writer is held against.
 *
 * Shape: u8 modifier1, u16le size, u8 modifier2, then `size` bytes of u16le-counted keys and values in turn.
 */

export interface UwsgiPacket {
  readonly modifier1: number;
  readonly modifier2: number;
  /** Key and value, in the order of the wire; views into the bytes that were read. */
  readonly vars: readonly (readonly [key: Uint8Array, value: Uint8Array])[];
  /** Header and vars together; a request body starts at this index. */
  readonly bytesUsed: number;
}

/** The vars do not fill their block exactly, or a key is empty. */
export class UwsgiError extends Error {
  override readonly name = "UwsgiError";
}

const headerBytes = 4;

/** The packet at the start of `bytes`, or undefined when it is not whole yet. Throws `UwsgiError`. */
export function decodePacket(bytes: Uint8Array): UwsgiPacket | undefined {
  if (bytes.length < headerBytes) return undefined;
  const end = headerBytes + u16(bytes, 1);
  if (bytes.length < end) return undefined;
  const vars: [Uint8Array, Uint8Array][] = [];
  let at = headerBytes;
  while (at < end) {
    const key = countedString(bytes, at, end);
    if (key.length === 0) throw new UwsgiError("empty key");
    at += 2 + key.length;
    const value = countedString(bytes, at, end);
    at += 2 + value.length;
    vars.push([key, value]);
  }
  return { modifier1: bytes[0]!, modifier2: bytes[3]!, vars, bytesUsed: end };
}

function countedString(bytes: Uint8Array, at: number, end: number): Uint8Array {
  if (at + 2 > end) throw new UwsgiError("length beyond the end of the block");
  const stop = at + 2 + u16(bytes, at);
  if (stop > end) throw new UwsgiError("string beyond the end of the block");
  return bytes.subarray(at + 2, stop);
}

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}
