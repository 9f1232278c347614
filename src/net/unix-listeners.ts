/**
 * Tells a Unix socket whose backlog is full from one that nobody listens on: the runtime says ECONNREFUSED to both, while the
 * kernel said EAGAIN to the first (connect(2), unix(7)).
 */
import { readFileSync, statSync } from "node:fs";
import { basename, isAbsolute } from "node:path";

/** How long an answer stands: it is asked for in bursts, when a server is overrun. A no may change at any time. */
const yesMs = 100;
const noMs = 5;
/** How long a socket that may or may not have the listener is given, from the first time that it was asked for. */
const doubtMs = 1000;
/** A socket that was not asked for this long begins anew. */
const forgetDoubtMs = 1000;
const maxDoubts = 1024;
/** `__SO_ACCEPTCON` of the kernel's `net/unix/af_unix.c`, as the Flags column shows it. */
const LISTENING = "00010000";

/** `"maybe"`: somebody listens on a socket of that name, at a path that says nothing here. */
type Answer = "yes" | "no" | "maybe";

interface Doubt {
  readonly sinceMs: number;
  askedAtMs: number;
}

export class UnixListeners {
  private readAtMs = Number.NEGATIVE_INFINITY;
  private pathsByName: ReadonlyMap<string, readonly string[]> = new Map();
  /** Of the table that was read last. */
  private readonly answers = new Map<string, Answer>();
  private readonly doubts = new Map<string, Doubt>();

  /**
   * Whether a process of our network namespace listens on `path`, or is taken to for up to a second where the kernel's table
   * leaves it open. False where the kernel does not tell.
   */
  has(path: string, nowMs: number): boolean {
    const answer = this.answer(path, nowMs);
    return answer === "maybe" ? this.benefitOfDoubt(path, nowMs) : answer === "yes";
  }

  /** A connection to `path` came about, so that somebody listens there. */
  connected(path: string): void {
    if (this.doubts.size > 0) this.doubts.delete(path);
  }

  private answer(path: string, nowMs: number): Answer {
    const known = this.answers.get(path) ?? "no";
    if (nowMs - this.readAtMs >= (known === "no" ? noMs : yesMs)) {
      this.readAtMs = nowMs;
      this.pathsByName = readListeners();
      this.answers.clear();
    }
    let answer = this.answers.get(path);
    if (answer === undefined) {
      answer = lookFor(path, this.pathsByName.get(basename(path)) ?? []);
      this.answers.set(path, answer);
    }
    return answer;
  }

  private benefitOfDoubt(path: string, nowMs: number): boolean {
    let doubt = this.doubts.get(path);
    if (doubt === undefined || nowMs - doubt.askedAtMs >= forgetDoubtMs) {
      doubt = { sinceMs: nowMs, askedAtMs: nowMs };
      this.doubts.delete(path);
      this.doubts.set(path, doubt);
      if (this.doubts.size > maxDoubts) this.doubts.delete(this.doubts.keys().next().value!);
    }
    doubt.askedAtMs = nowMs;
    return nowMs - doubt.sinceMs < doubtMs;
  }
}

/**
 * `bound`: paths of listeners with the same last name, as they were bound. Another path may be the same socket (a link, a second mount of one
 * volume). A relative one, or one that is not here, belongs to another folder or another container and may be any socket.
 */
function lookFor(path: string, bound: readonly string[]): Answer {
  if (bound.length === 0) return "no";
  if (bound.includes(path)) return "yes";
  const own = fileIdentity(path);
  let answer: Answer = "no";
  for (const other of bound) {
    const identity = isAbsolute(other) ? fileIdentity(other) : undefined;
    if (identity === undefined) answer = "maybe";
    else if (identity === own) return "yes";
  }
  return answer;
}

function fileIdentity(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

/** By the last part of their paths. Columns: Num RefCount Protocol Flags Type St Inode Path. */
function readListeners(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  let table: string;
  try {
    // Names are bytes to the kernel; ours are UTF-8.
    table = readFileSync("/proc/net/unix", "utf8");
  } catch {
    return found;
  }
  for (const line of table.split("\n")) {
    if (!line.includes(LISTENING)) continue;
    const columns = /^\S+ \S+ \S+ (\S+) \S+ \S+ +\S+ (.+)$/.exec(line);
    if (columns?.[1] !== LISTENING) continue;
    const path = columns[2]!;
    const name = basename(path);
    const same = found.get(name);
    if (same === undefined) found.set(name, [path]);
    else same.push(path);
  }
  return found;
}
