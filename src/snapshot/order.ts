/** A copy in the order of the keys, by code unit: the same everywhere, unlike a locale's order. */
export function sortedBy<T>(values: Iterable<T>, keyOf: (value: T) => string): T[] {
  return [...values].sort((a, b) => {
    const [left, right] = [keyOf(a), keyOf(b)];
    return left < right ? -1 : left > right ? 1 : 0;
  });
}
