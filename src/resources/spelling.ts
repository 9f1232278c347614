/** Slips of this many letters more, less or other; a plural is one or two. */
const MAX_SLIPS = 2;

/** The one of `names` that `text` looks like a slip of. Case does not count. */
export function nearestName<Name extends string>(text: string, names: readonly Name[]): Name | undefined {
  return names.find((name) => slips(text.toLowerCase(), name.toLowerCase()) <= MAX_SLIPS);
}

/** Levenshtein's distance, or more than `MAX_SLIPS` where the lengths alone say so. */
function slips(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > MAX_SLIPS) return MAX_SLIPS + 1;
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const other = a[row - 1] === b[column - 1] ? 0 : 1;
      current.push(Math.min(above[column]! + 1, current[column - 1]! + 1, above[column - 1]! + other));
    }
    above = current;
  }
  return above[b.length]!;
}
