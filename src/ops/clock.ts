/** Time, passed in wherever it is needed so that tests can turn the hands. */

export interface Clock {
  /** Wall clock, for what people read. Milliseconds since 1970. */
  epochMs(): number;
  /** For intervals: never steps back. Milliseconds with a fraction, since some fixed moment. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  epochMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
