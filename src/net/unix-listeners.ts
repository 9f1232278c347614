/**
 * Tells a Unix socket whose backlog is full from one that nobody listens on: the runtime says ECONNREFUSED to both, while the
 * kernel said EAGAIN to the first (connect(2), unix(7)).
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";

/** How long an answer stands: it is asked for in bursts, when a server is overrun. A no may change at any time. */
const yesMs = 100;
const noMs = 5;
/** `__SO_ACCEPTCON` of the kernel's `net/unix/af_unix.c`, as the Flags column shows it. */
const LISTENING = "00010000";

export class UnixListeners {
  private readAtMs = Number.NEGATIVE_INFINITY;
  private names: ReadonlySet<string> = new Set();

  /**
   * Whether a process of our network namespace listens on `path`, or on a socket of that name: the kernel tells paths as they were bound,
   * be it relative or in another container's mount of the same volume. False where it does not tell.
   */
  has(path: string, nowMs: number): boolean {
    const name = basename(path);
    if (nowMs - this.readAtMs >= (this.names.has(name) ? yesMs : noMs)) {
      this.readAtMs = nowMs;
      this.names = readListeners();
    }
    return this.names.has(name);
  }
}

/** Columns: Num RefCount Protocol Flags Type St Inode Path. */
function readListeners(): ReadonlySet<string> {
  const names = new Set<string>();
  let table: string;
  try {
    table = readFileSync("/proc/net/unix", "latin1");
  } catch {
    return names;
  }
  for (const line of table.split("\n")) {
    if (!line.includes(LISTENING)) continue;
    const columns = line.trim().split(/\s+/);
    if (columns[3] === LISTENING && columns[7] !== undefined) names.add(basename(columns.slice(7).join(" ")));
  }
  return names;
}
