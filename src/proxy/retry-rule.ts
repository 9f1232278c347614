/** Whether a request may go to another endpoint after one has failed it (section 6 of the wire rules). */
import type { ForwardSettings } from "../snapshot/snapshot.ts";

/** RFC 9110 section 9.2.2, without TRACE, which never gets here. */
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** What an endpoint may have got of a request. `streamed`: body bytes went straight on and cannot be sent again. */
export interface SentSoFar {
  readonly method: string;
  readonly sent: boolean;
  readonly streamed: boolean;
}

/** Connect failures: any method. Once bytes were sent: what is safe to repeat, and can be. */
export function isRepeatable(
  { method, sent, streamed }: SentSoFar,
  { nonIdempotent }: ForwardSettings["retry"],
): boolean {
  return !sent || (!streamed && (nonIdempotent || IDEMPOTENT.has(method)));
}

/** The name of the bound that forbids another try after `tries` of them; `undefined`: none does. */
export function boundOnRetries(
  { maxTries, withinMs }: ForwardSettings["retry"],
  tries: number,
  elapsedMs: number,
): "retry_tries" | "retry_time" | undefined {
  if (tries >= maxTries) return "retry_tries";
  return withinMs > 0 && elapsedMs >= withinMs ? "retry_time" : undefined;
}
