/** Signals that stop the process: the first one drains, the second one is in a hurry. */

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** What to do about each; `exitNow` gets the status that a shell shows for the signal (128 + its number). */
export interface ShutdownActions {
  drain(signal: string): void;
  exitNow(code: number): void;
}

export function onShutdownSignals(actions: ShutdownActions): void {
  let asked = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (asked) return actions.exitNow(signal === "SIGTERM" ? 143 : 130);
      asked = true;
      actions.drain(signal);
    });
  }
}

/** For workers: a signal to the whole process group (Ctrl-C) reaches them too, but their supervisor decides. */
export function ignoreShutdownSignals(): void {
  for (const signal of SIGNALS) process.on(signal, () => {});
}
