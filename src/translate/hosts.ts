import type { PathMatch } from "../resources/path.ts";
import type { HostEntry, Rule } from "../snapshot/snapshot.ts";

type WildcardDepth = Rule["wildcardDepth"];

/** A host and path that someone wants to serve. */
export interface Claim {
  readonly host: string;
  readonly path: PathMatch;
  readonly wildcardDepth: WildcardDepth;
  /** Equal for claims of one object that lead to the same: of such, any may win. */
  readonly purpose: string;
}

interface Owned<Owner> {
  readonly owner: Owner;
  readonly purpose: string;
  readonly wildcardDepth: WildcardDepth;
}

/** Hosts and their rules; each host and path goes to whoever claims it first. */
export class HostTable<Owner> {
  readonly #rules = new Map<string, Rule[]>();
  readonly #owners = new Map<string, Map<string, Owned<Owner>[]>>();

  /** Takes the claim, and answers `undefined`; or answers who has it already, and what for. */
  claim(claim: Claim, owner: Owner): Owned<Owner> | undefined {
    const holder = this.holder(claim);
    if (holder !== undefined) return holder;
    const { host, path, wildcardDepth, purpose } = claim;
    let paths = this.#owners.get(host);
    if (paths === undefined) this.#owners.set(host, (paths = new Map()));
    const owned = paths.get(pathKey(path));
    if (owned === undefined) paths.set(pathKey(path), [{ owner, wildcardDepth, purpose }]);
    else owned.push({ owner, wildcardDepth, purpose });
    return undefined;
  }

  /** A rule for one label and more leaves nothing to a later one; a rule for one label leaves the deeper names. */
  holder({ host, path, wildcardDepth }: Omit<Claim, "purpose">): Owned<Owner> | undefined {
    const owned = this.#owners.get(host)?.get(pathKey(path));
    return owned?.find((each) => each.wildcardDepth === "any" || each.wildcardDepth === wildcardDepth);
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
