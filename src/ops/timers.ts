/** Timers, passed in so that tests can turn the hands. `cancel` of a fired timer does nothing. */
export interface Timers {
  monotonicMs(): number;
  start(callback: () => void, delayMs: number): unknown;
  cancel(timer: unknown): void;
}

export const systemTimers: Timers = {
  monotonicMs: () => performance.now(),
  start: (callback, delayMs) => setTimeout(callback, delayMs),
  cancel: (timer) => clearTimeout(timer as NodeJS.Timeout),
};
