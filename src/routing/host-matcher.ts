/** Hosts in their order of precedence: exact, then the longest wildcard, then none. */
import type { HostEntry, Rule } from "../snapshot/snapshot.ts";
import { PathMatcher } from "./path-matcher.ts";

interface WildcardHost<T> {
  /** For hosts with one label in place of the star: every rule. */
  readonly direct: PathMatcher<T>;
  /** For deeper ones: the rules that let the star stand for several labels. */
  readonly deep: PathMatcher<T>;
}

export class HostMatcher<T> {
  private readonly exact = new Map<string, PathMatcher<T>>();
  private readonly wildcards = new Map<string, WildcardHost<T>>();
  private readonly any = new PathMatcher<T>();

  constructor(hosts: readonly HostEntry[], compile: (rule: Rule) => T) {
    for (const host of hosts) {
      for (const rule of host.rules) this.add(host.hostname, rule, compile(rule));
    }
  }

  private add(hostname: string, rule: Rule, value: T): void {
    const { type } = rule.path;
    // Manifests hold text; paths on the wire are bytes, here one character each.
    const path = Buffer.from(rule.path.value, "utf8").toString("latin1");
    if (hostname === "") {
      this.any.add(type, path, value);
    } else if (hostname.startsWith("*.")) {
      const suffix = hostname.slice(2);
      let wildcard = this.wildcards.get(suffix);
      if (!wildcard) {
        wildcard = { direct: new PathMatcher(), deep: new PathMatcher() };
        this.wildcards.set(suffix, wildcard);
      }
      wildcard.direct.add(type, path, value);
      if (rule.wildcardDepth === "any") wildcard.deep.add(type, path, value);
    } else {
      let matcher = this.exact.get(hostname);
      if (!matcher) this.exact.set(hostname, (matcher = new PathMatcher()));
      matcher.add(type, path, value);
    }
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
