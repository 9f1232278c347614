import type { HostEntry, Rule, WeightedBackend } from "./snapshot.ts";

/**
 * `hosts`, with the values of `before` in place of those that equal them: what is the very same value needs no hashing, sending
 * or compiling again. Both are in the order of their host names.
 */
export function sameWhereEqual(
  hosts: readonly HostEntry[],
  before: readonly HostEntry[],
): readonly HostEntry[] {
  let at = 0;
  let isSame = hosts.length === before.length;
  const result = hosts.map((host) => {
    while (at < before.length && before[at]!.hostname < host.hostname) at++;
    const old = before[at];
    if (old !== undefined && equalHosts(old, host)) return old;
    isSame = false;
    return host;
  });
  return isSame ? before : result;
}

function equalHosts(a: HostEntry, b: HostEntry): boolean {
  return a.hostname === b.hostname && equalLists(a.rules, b.rules, equalRules);
}

function equalRules(a: Rule, b: Rule): boolean {
  return (
    a.id === b.id &&
    a.path.type === b.path.type &&
    a.path.value === b.path.value &&
    a.wildcardDepth === b.wildcardDepth &&
    a.serverName === b.serverName &&
    equalActions(a.action, b.action)
  );
}

function equalActions(a: Rule["action"], b: Rule["action"]): boolean {
  if (a.type === "forward" && b.type === "forward") {
    return a.settings === b.settings && equalLists(a.backends, b.backends, equalBackends);
  }
  if (a.type === "static" && b.type === "static") {
    return (
      a.root === b.root &&
      a.stripPrefix === b.stripPrefix &&
      a.dotFiles === b.dotFiles &&
      equalLists(a.index, b.index, (left, right) => left === right)
    );
  }
  return false;
}

function equalBackends(a: WeightedBackend, b: WeightedBackend): boolean {
  return a.upstream === b.upstream && a.weight === b.weight;
}

function equalLists<T>(a: readonly T[], b: readonly T[], equal: (left: T, right: T) => boolean): boolean {
  return a.length === b.length && a.every((value, i) => equal(value, b[i]!));
}
