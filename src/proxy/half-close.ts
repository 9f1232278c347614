/**
 * A client that sent FIN will send no more, or is gone; only its answer to further bytes tells which. One that half-closes does so
 * along with its last request, and gets its responses. One that does so later, or waits long, is asked by `100 Continue`, which every
 * HTTP/1.1 client must be able to skip (RFC 9110 section 15.2) and which draws a reset if it is gone. Once a response has begun, its
 * own bytes ask, and HTTP/1.0 has nothing else to ask with.
 */

/** FIN this soon after the last byte is taken for a half-close. */
const withRequestMs = 100;
/** Then even such a client is asked whether it is still there. */
const askAfterMs = 2000;

export type HalfCloseVerdict = "wait" | "ask";

export class HalfClose {
  private late = false;
  private askAtMs = Number.POSITIVE_INFINITY;

  /** FIN came. `inputWaits`: there are requests that were sent before it. */
  ended(nowMs: number, lastByteAtMs: number, inputWaits: boolean): void {
    this.late = !inputWaits && nowMs - lastByteAtMs >= withRequestMs;
  }

  /** What to do about the response that such a client waits for. */
  verdict(nowMs: number, responseBegun: boolean, version: number): HalfCloseVerdict {
    if (responseBegun || version === 10) return "wait";
    if (this.late) return "ask";
    this.askAtMs = nowMs + askAfterMs;
    return "wait";
  }

  /** Whether it is time to ask. Says so once. */
  due(nowMs: number): boolean {
    if (nowMs < this.askAtMs) return false;
    this.reset();
    return true;
  }

  /** For the next response. */
  reset(): void {
    this.askAtMs = Number.POSITIVE_INFINITY;
  }
}
