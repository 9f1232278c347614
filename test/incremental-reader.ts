/**
 * Drives an incremental reader in every way in which a socket may hand it the same bytes: whole, split in two at every byte, byte by
 * byte, with bytes of the next message behind it, and cut off at every offset. However they come, what it says has to be the same.
 */

import { expect } from "bun:test";

/** One reader, fresh for each run, behind a face that the driver can compare. */
export interface Subject {
  /** Reads a piece; returns how many of its bytes were used: all of them, unless finished. */
  read(piece: Uint8Array): number;
  /** The message is whole; it is given nothing more. */
  readonly finished: boolean;
  /** Everything said so far as one value that `toEqual` compares, independent of how the pieces fell. */
  readonly seen: unknown;
}

export interface Outcome {
  readonly finished: boolean;
  readonly seen: unknown;
  /** Bytes used, over all pieces; -1 after a failure. */
  readonly used: number;
  /** The kind of the error, or null. */
  readonly failure: string | null;
}

/** A new subject, or the kinds of error that it may throw: any other error is the reader's bug and ends the test. */
export interface Fixture {
  make(): Subject;
  kindOf(error: unknown): string | undefined;
}

/** A head reader as a subject; `view` is taken as soon as the head is whole, while its bytes are still there. */
export function headSubject<Reader extends { read(chunk: Buffer, from: number, to: number): number }>(
  reader: Reader,
  view: (reader: Reader) => unknown,
): Subject {
  let seen: unknown = null;
  return {
    read(piece) {
      const end = reader.read(Buffer.from(piece.buffer), 0, piece.length);
      if (end < 0) return piece.length;
      seen = view(reader);
      return end;
    },
    get finished() {
      return seen !== null;
    },
    get seen() {
      return seen;
    },
  };
}

/** Text with one character per byte, as bytes. */
export function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

/** Hands `pieces` over one by one; each is a copy that is spoilt after use, so that a reader which keeps a view of it shows. */
export function run(fixture: Fixture, pieces: readonly Uint8Array[]): Outcome {
  const subject = fixture.make();
  let used = 0;
  try {
    for (const original of pieces) {
      if (subject.finished) break;
      const piece = original.slice();
      used += subject.read(piece);
      piece.fill(0xee);
    }
  } catch (error) {
    const failure = fixture.kindOf(error);
    if (failure === undefined) throw error;
    return { finished: false, seen: null, used: -1, failure };
  }
  return { finished: subject.finished, seen: subject.seen, used, failure: null };
}

/** The outcome of `bytes`, the same whole, split at every byte and byte by byte, or the test fails. */
export function runEveryWay(fixture: Fixture, bytes: Uint8Array): Outcome {
  const whole = run(fixture, [bytes]);
  for (let at = 1; at < bytes.length; at++) {
    expectSame(run(fixture, [bytes.subarray(0, at), bytes.subarray(at)]), whole, `split at ${at}`);
  }
  expectSame(run(fixture, everyByte(bytes)), whole, "byte by byte");
  return whole;
}

/** `message` is read whole, and bytes behind it are neither used nor do they change anything. */
export function expectTrailingBytesLeft(fixture: Fixture, message: Uint8Array): Outcome {
  const alone = runEveryWay(fixture, message);
  expect(alone).toMatchObject({ finished: true, used: message.length });
  for (const trailing of ["G", "\r\n", "GET /next HTTP/1.1\r\n\r\n", "\0\xff"]) {
    expectSame(
      runEveryWay(fixture, join([message, latin1(trailing)])),
      alone,
      `followed by ${JSON.stringify(trailing)}`,
    );
  }
  return alone;
}

/** Cut off at any offset, `message` neither counts as whole nor fails: the caller can tell that the rest is missing. */
export function expectIncompleteAtEveryOffset(fixture: Fixture, message: Uint8Array): void {
  for (let length = 0; length < message.length; length++) {
    const { finished, failure, used } = run(fixture, [message.subarray(0, length)]);
    expect({ length, finished, failure, used }).toEqual({
      length,
      finished: false,
      failure: null,
      used: length,
    });
  }
}

/** One piece per byte. */
export function everyByte(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
}

export function join(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

/** `toEqual` thousands of times is slow; it is left to draw the difference when there is one. */
function expectSame(outcome: Outcome, reference: Outcome, how: string): void {
  if (!Bun.deepEquals(outcome, reference)) expect({ how, ...outcome }).toEqual({ how, ...reference });
}
