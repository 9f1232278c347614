import { KubeError } from "../kube/api.ts";

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 60_000;

/** Doubles with every failure in a row, up to a minute; half of it is random, so that failures do not come back together. */
export function retryDelayMs(failures: number, error: unknown, random: () => number): number {
  const fullMs = Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), MAX_RETRY_MS);
  const delayMs = fullMs * (0.5 + random() / 2);
  const askedMs = error instanceof KubeError ? Math.min(error.retryAfterMs ?? 0, MAX_RETRY_MS) : 0;
  // Some time past what was asked for, or all who were asked come at once.
  return askedMs > delayMs ? askedMs + delayMs : delayMs;
}

/** The API server as a whole is in trouble or out of reach, not this one object. */
export function isServerTrouble(error: unknown): boolean {
  if (!(error instanceof KubeError)) return false;
  return error.status === 0 || error.status === 429 || error.status >= 500;
}

export function hasKubeStatus(error: unknown, status: number): boolean {
  return error instanceof KubeError && error.status === status;
}
