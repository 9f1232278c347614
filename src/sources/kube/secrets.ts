import { type Followed, type FollowOptions, follow } from "./followed.ts";
import { secretPath } from "./kinds.ts";
import type { SecretName } from "./secret-names.ts";

/** The Secrets that routes name, each followed by a reflector of its own, for as long as it is named. */
export class FollowedSecrets {
  readonly #options: FollowOptions;
  readonly #maxSecrets: number;
  /** By `namespace/name`. */
  readonly #followed = new Map<string, Followed>();
  readonly #stopping = new Set<Promise<void>>();
  #skipped = 0;

  /** `maxSecrets`: each costs the API server a watch. */
  constructor(options: FollowOptions, maxSecrets: number) {
    this.#options = options;
    this.#maxSecrets = maxSecrets;
  }

  get followed(): readonly Followed[] {
    return [...this.#followed.values()];
  }

  /** Secrets that are named and not followed, being too many. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Where there are too many, those stay that are followed already. */
  update(named: ReadonlyMap<string, SecretName>): void {
    for (const [key, followed] of this.#followed) {
      if (!named.has(key)) this.#end(key, followed);
    }
    for (const [key, { namespace, name }] of named) {
      if (this.#followed.size >= this.#maxSecrets) break;
      if (!this.#followed.has(key))
        this.#followed.set(key, follow(secretPath(name), namespace, this.#options));
    }
    this.#skipped = named.size - this.#followed.size;
  }

  /** Each has been read, or cannot be read at present: one Secret must not hold up the rest. */
  async answered(): Promise<void> {
    await Promise.all(this.followed.map(({ reflector }) => reflector.answered));
  }

  async stop(): Promise<void> {
    for (const { reflector } of this.followed) this.#stopping.add(reflector.stop());
    await Promise.all(this.#stopping);
  }

  #end(key: string, { collection, reflector }: Followed): void {
    this.#followed.delete(key);
    collection.clear();
    const stopped = reflector.stop().finally(() => this.#stopping.delete(stopped));
    this.#stopping.add(stopped);
  }
}
