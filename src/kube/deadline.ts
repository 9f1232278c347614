/** Aborts a request with its caller's signal, or by itself when its time is over. Ended, it holds no timer and no listener. */
export class Deadline {
  readonly #caller: AbortSignal;
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(caller: AbortSignal, delayMs: number) {
    this.#caller = caller;
    if (caller.aborted) this.#onCaller();
    else caller.addEventListener("abort", this.#onCaller, { once: true });
    this.renew(delayMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it was the time, not the caller. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** From now on, so long. */
  renew(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      this.#controller.abort();
    }, delayMs);
  }

  /** As the caller's signal does. */
  abort(): void {
    this.#onCaller();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#caller.removeEventListener("abort", this.#onCaller);
  }

  readonly #onCaller = (): void => {
    clearTimeout(this.#timer);
    this.#controller.abort();
  };
}
