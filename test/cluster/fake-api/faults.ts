/** Faults that a test puts in the way of requests. */
import { type ApiRequest, type Matches, matches } from "./request.ts";

export type Fault =
  | {
      readonly type: "status";
      readonly status: number;
      readonly reason?: string;
      readonly retryAfter?: string;
    }
  /** An answer with this text, whatever it says. */
  | { readonly type: "text"; readonly text: string }
  /** Answered as usual once the promise resolves. */
  | { readonly type: "wait"; readonly until: Promise<unknown> }
  /** Never answered. */
  | { readonly type: "hang" }
  /** The connection is closed instead. */
  | { readonly type: "cut" };

interface Pending {
  readonly on: Matches;
  readonly fault: Fault;
  left: number;
}

export class Faults {
  #pending: Pending[] = [];

  /** The next `times` requests that match get it. Earlier faults go first. */
  add(on: Matches, fault: Fault, times: number): void {
    this.#pending.push({ on, fault, left: times });
  }

  clear(): void {
    this.#pending = [];
  }

  take(request: ApiRequest): Fault | undefined {
    const found = this.#pending.find(({ on }) => matches(request, on));
    if (found === undefined) return undefined;
    if (--found.left <= 0) this.#pending = this.#pending.filter((each) => each !== found);
    return found.fault;
  }
}
