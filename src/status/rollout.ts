/** Which proxies have which table in use, and with that, whether one object's state is in use everywhere. */

/** One connected proxy. */
export interface ProxyState {
  readonly name: string;
  /** In use there; absent before its first. */
  readonly ackedVersion?: string;
  /** Its last refusal; the version that it had before stays in use there. */
  readonly nacked?: { readonly version: string; readonly reason: string };
}

export type Programming =
  | { readonly type: "in-use" }
  | { readonly type: "rejected"; readonly reason: string }
  | { readonly type: "pending" }
  | { readonly type: "no-proxy" };

/** Older ones count as unknown: a proxy that has one is far behind. */
const MAX_REMEMBERED_VERSIONS = 1024;

interface Answer {
  readonly acked: number;
  readonly nacked: number;
  readonly reason: string;
}

/**
 * Versions are hashes and have no order, so they get numbers as they come. An object that became what it is with number 5 is in use
 * where 5 or a later one is. So other objects' changes, and tables that are refused for them, leave it alone.
 */
export class Rollout {
  readonly #numbers = new Map<string, number>();
  #number = 0;
  #failure: string | undefined;
  #proxies: readonly ProxyState[] = [];
  #answers: readonly Answer[] | undefined;

  /** `failure`: why the newest objects are not in `version`. */
  published(version: string, failure: string | undefined): void {
    this.#failure = failure;
    this.#answers = undefined;
    if (version === "" || this.#numbers.get(version) === this.#number) return;
    this.#numbers.delete(version);
    this.#numbers.set(version, ++this.#number);
    if (this.#numbers.size > MAX_REMEMBERED_VERSIONS) {
      this.#numbers.delete(this.#numbers.keys().next().value!);
    }
  }

  proxies(states: readonly ProxyState[]): void {
    this.#proxies = states;
    this.#answers = undefined;
  }

  get connected(): number {
    return this.#proxies.length;
  }

  /** Of the table with the newest objects; of the next one, where they are in none yet. */
  get newest(): number {
    return this.#failure === undefined ? this.#number : this.#number + 1;
  }

  /** For an object that became what it is with table `since`. */
  programming(since: number): Programming {
    if (since > this.#number) return this.#withoutTable();
    this.#answers ??= this.#proxies.map((state) => this.#answer(state));
    if (this.#answers.length === 0) return { type: "no-proxy" };
    const waiting = this.#answers.filter(({ acked }) => acked < since);
    if (waiting.length === 0) return { type: "in-use" };
    const refused = waiting.find(({ nacked }) => nacked >= since);
    return refused === undefined ? { type: "pending" } : { type: "rejected", reason: refused.reason };
  }

  #withoutTable(): Programming {
    return this.#failure === undefined ? { type: "pending" } : { type: "rejected", reason: this.#failure };
  }

  /** A proxy may answer before `published` is called: numbers are looked up late. */
  #answer({ ackedVersion, nacked }: ProxyState): Answer {
    const number = (version: string | undefined) => this.#numbers.get(version ?? "") ?? 0;
    return { acked: number(ackedVersion), nacked: number(nacked?.version), reason: nacked?.reason ?? "" };
  }
}
