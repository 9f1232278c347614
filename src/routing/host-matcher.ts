/** Hosts in their order of precedence: exact, then the longest wildcard, then none. */
import type { HostEntry, Rule } from "../snapshot/snapshot.ts";
import { PathMatcher } from "./path-matcher.ts";

/** The rules of one host entry, compiled. */
export interface HostRules<T> {
  /** For the host itself, or one label in place of the star: every rule. */
  readonly direct: PathMatcher<T>;
  /** For deeper names under a wildcard: the rules that let the star stand for several labels. */
  readonly deep: PathMatcher<T>;
}

export function compileHost<T>({ rules }: HostEntry, compile: (rule: Rule) => T): HostRules<T> {
  const direct = new PathMatcher<T>();
  const deep = new PathMatcher<T>();
  for (const rule of rules) {
    const value = compile(rule);
    // Manifests hold text; paths on the wire are bytes, here one character each.
    const path = Buffer.from(rule.path.value, "utf8").toString("latin1");
    direct.add(rule.path.type, path, value);
    if (rule.wildcardDepth === "any") deep.add(rule.path.type, path, value);
  }
  return { direct, deep };
}

export class HostMatcher<T> {
  private exact = new Map<string, PathMatcher<T>>();
  private wildcards = new Map<string, HostRules<T>>();
  private any = new PathMatcher<T>();
  private first: { readonly rank: string; readonly rules: PathMatcher<T> } | undefined;

  /** Another one with the same rules, to which others can be added. */
  copy(): HostMatcher<T> {
    const copy = new HostMatcher<T>();
    copy.exact = new Map(this.exact);
    copy.wildcards = new Map(this.wildcards);
    copy.any = this.any;
    copy.first = this.first;
    return copy;
  }

  /** In place of the rules that the host name had, if any. */
  add(hostname: string, rules: HostRules<T>): void {
    // Every exact name comes before every wildcard.
    const rank = hostname.startsWith("*.") ? `1${hostname}` : `0${hostname}`;
    if (hostname !== "" && (this.first === undefined || rank <= this.first.rank)) {
      this.first = { rank, rules: rules.direct };
    }
    if (hostname === "") this.any = rules.direct;
    else if (hostname.startsWith("*.")) this.wildcards.set(hostname.slice(2), rules);
    else this.exact.set(hostname, rules.direct);
  }

  /**
   * `host` is in lower case without port and trailing dot, at most 255 long; `path` normalized. A host that has no rule for the path
   * leaves it to less specific hosts: rules are ranked by host first, then by path, among those that match.
   */
  match(host: string, path: string): T | undefined {
    const found = this.exact.get(host)?.match(path);
    if (found !== undefined) return found;
    if (this.wildcards.size > 0) {
      const wild = this.matchWildcard(host, path);
      if (wild !== undefined) return wild;
    }
    return this.any.match(path);
  }

  /**
   * For a request that names no host, as HTTP/1.0 allows: the rules for any host, and then those of the first name, exact before
   * wildcard, in alphabetic order: in place of NGINX's first site, and the same in whatever order objects come.
   */
  matchUnnamed(path: string): T | undefined {
    return this.any.match(path) ?? this.first?.rules.match(path);
  }

  private matchWildcard(host: string, path: string): T | undefined {
    let depth = 0;
    for (let dot = host.indexOf("."); dot > 0; dot = host.indexOf(".", dot + 1)) {
      const wildcard = this.wildcards.get(host.slice(dot + 1));
      const matcher = depth++ === 0 ? wildcard?.direct : wildcard?.deep;
      const found = matcher?.match(path);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
