/**
 * A client that sent FIN will send no more, or is gone: TCP tells the two apart only by what the peer does with further bytes, and there
 * are none to send while the app works. So the time of the FIN decides. One that half-closes does so along with its last request, and
 * gets its responses. One that does so later has left, as every client does that closes because its user gave up. If the first was gone
 * too, the first bytes of its response draw a reset.
 */

/** FIN this soon after the last byte is taken for a half-close. */
const withRequestMs = 100;

export interface Fin {
  readonly nowMs: number;
  /** When the client's last byte came. */
  readonly lastByteAtMs: number;
  /** Requests that were sent before the FIN have not begun. */
  readonly inputWaits: boolean;
  /** Of the response that is on its way; `undefined` before it begins. */
  readonly contentType: string | undefined;
}

const EVENTS = /^text\/event-stream\s*(?:;|$)/i;

/** Whether a client that waits for a response has left. Server-sent events have no end to wait for. */
export function hasLeft({ nowMs, lastByteAtMs, inputWaits, contentType }: Fin): boolean {
  if (contentType !== undefined && EVENTS.test(contentType)) return true;
  return !inputWaits && nowMs - lastByteAtMs >= withRequestMs;
}
