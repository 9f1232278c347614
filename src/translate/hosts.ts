import type { PathMatch } from "../resources/path.ts";
import type { HostEntry, Rule } from "../snapshot/snapshot.ts";

type WildcardDepth = Rule["wildcardDepth"];

/** A host and path that someone wants to serve. */
export interface Claim {
  readonly host: string;
  readonly path: PathMatch;
  readonly wildcardDepth: WildcardDepth;
}

interface Owned<Owner> {
  readonly owner: Owner;
  readonly wildcardDepth: WildcardDepth;
}

/** Hosts and their rules; each host and path goes to whoever claims it first. */
export class HostTable<Owner> {
  readonly #rules = new Map<string, Rule[]>();
  readonly #owners = new Map<string, Map<string, Owned<Owner>[]>>();

  /** Takes the claim, and answers `undefined`; or answers who has it already. */
  claim(claim: Claim, owner: Owner): Owner | undefined {
    const holder = this.holder(claim);
    if (holder !== undefined) return holder;
    const { host, path, wildcardDepth } = claim;
    let paths = this.#owners.get(host);
    if (paths === undefined) this.#owners.set(host, (paths = new Map()));
    const owned = paths.get(pathKey(path));
    if (owned === undefined) paths.set(pathKey(path), [{ owner, wildcardDepth }]);
    else owned.push({ owner, wildcardDepth });
    return undefined;
  }

  /** A rule for one label and more leaves nothing to a later one; a rule for one label leaves the deeper names. */
  holder({ host, path, wildcardDepth }: Claim): Owner | undefined {
    const owned = this.#owners.get(host)?.get(pathKey(path));
    return owned?.find((each) => each.wildcardDepth === "any" || each.wildcardDepth === wildcardDepth)?.owner;
  }

  add(host: string, rule: Rule): void {
    const rules = this.#rules.get(host);
    if (rules === undefined) this.#rules.set(host, [rule]);
    else rules.push(rule);
  }

  entries(): HostEntry[] {
    return [...this.#rules].map(([hostname, rules]) => ({ hostname, rules }));
  }
}

function pathKey({ type, value }: PathMatch): string {
  return `${type}:${value}`;
}
