import { type Clock, systemClock } from "../../ops/clock.ts";

/** Time and chance, passed in so that tests can turn the hands. */
export interface Pace extends Clock {
  /** In [0, 1). */
  random(): number;
  /** Resolves after that time, or with the signal, and holds no timer then. */
  delay(delayMs: number, signal: AbortSignal): Promise<void>;
}

export const systemPace: Pace = {
  ...systemClock,
  random: Math.random,
  delay: (delayMs, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, delayMs);
      signal.addEventListener("abort", end, { once: true });
    }),
};
