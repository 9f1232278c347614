/** Sizes as Kubernetes writes them: a number of bytes with an optional suffix, `1Mi`, `10M`, `4096`. */
export const QUANTITY_PATTERN = /^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T|m)?$/;

const FACTOR: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Whole bytes, or a message that says why not. */
export function quantityBytes(quantity: string | number): { bytes: number } | { message: string } {
  const [, count, suffix = ""] = /^([0-9.]+)([A-Za-z]*)$/.exec(String(quantity)) ?? [];
  if (suffix === "m") {
    return { message: `"m" stands for thousandths in Kubernetes: for mebibytes write "${count}Mi"` };
  }
  const bytes = Number(count) * (FACTOR[suffix] ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) return { message: `"${quantity}" is not a whole number of bytes` };
  return { bytes };
}
