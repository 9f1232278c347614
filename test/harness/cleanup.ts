/**
 * What the harness started and must take away again: processes, listening sockets, temporary folders.
 *
 * Each test file that starts anything says `afterAll(stopAll)` once; `stop()` on the thing itself ends it sooner.
 * Should the test process die without that, its children get SIGTERM from the kernel (see `processes.ts`).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

type Release = () => Promise<void> | void;

const pending = new Set<Release>();
const pendingLast = new Set<Release>();

/**
 * Registers `release` for `stopAll`; calling the returned function runs it now, once. `last`: only after everything that is not, for
 * what processes lean on until they end (a network).
 */
export function onStopAll(release: Release, { last = false } = {}): () => Promise<void> {
  const registered = last ? pendingLast : pending;
  let done: Promise<void> | undefined;
  const once = () => {
    registered.delete(once);
    done ??= Promise.resolve(release());
    return done;
  };
  registered.add(once);
  return once;
}

/** Ends everything that was started and not stopped yet, newest first; then what was registered as `last`. */
export async function stopAll(): Promise<void> {
  const failures: unknown[] = [];
  for (const release of [...[...pending].reverse(), ...[...pendingLast].reverse()]) {
    try {
      await release();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, "some test servers did not stop");
}

/** A new temporary folder, removed by `stopAll`. Short, since a Unix socket's path holds 107 bytes at most. */
export function temporaryFolder(label = "t"): string {
  const folder = mkdtempSync(join(tmpdir(), `ug-${label}-`));
  onStopAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}
