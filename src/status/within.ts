import { KubeError } from "../kube/api.ts";
import type { Timers } from "../ops/timers.ts";

/**
 * Runs a request with a signal that ends with `caller` or when the time is over. Rejects with a `KubeError` then, even if the request
 * does not end.
 */
export async function within<T>(
  timers: Timers,
  timeoutMs: number,
  caller: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  const abort = () => controller.abort();
  caller.addEventListener("abort", abort, { once: true });
  if (caller.aborted) abort();
  const timer = timers.start(abort, timeoutMs);
  const ended = new Promise<never>((_, reject) => {
    const give = () => reject(new KubeError(0, "", caller.aborted ? "was given up" : "took too long"));
    if (signal.aborted) give();
    else signal.addEventListener("abort", give, { once: true });
  });
  try {
    return await Promise.race([run(signal), ended]);
  } finally {
    timers.cancel(timer);
    caller.removeEventListener("abort", abort);
    // Nobody waits for it any more.
    ended.catch(() => {});
  }
}
