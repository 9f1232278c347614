import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import type { SystemPath } from "./file-path.ts";

/** Two equal identities mean: the same file with the same content, as far as stat(2) can tell. */
export interface FileIdentity {
  readonly kind: "file" | "folder" | "other";
  readonly device: number;
  readonly inode: number;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

export interface OpenFile {
  readonly fd: number;
  readonly identity: FileIdentity;
}

export type OpenFailure = "missing" | "forbidden" | "failed";

/** O_NONBLOCK: a FIFO that took the file's place after it was looked at must not stop the process. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/**
 * What is at `path`, symlinks followed; `undefined` if nothing is, or nothing that may be seen.
 * existsSync goes first since it never throws: a miss, with whatever error, costs one system call and no exception.
 */
export function identify(path: SystemPath): FileIdentity | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats && identityOf(stats);
  } catch {
    return undefined;
  }
}

export function sameIdentity(a: FileIdentity | undefined, b: FileIdentity | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.inode === b.inode &&
    a.device === b.device &&
    a.sizeBytes === b.sizeBytes &&
    a.mtimeMs === b.mtimeMs &&
    a.ctimeMs === b.ctimeMs
  );
}

/**
 * Opens a regular file whose real place is inside `root`, itself resolved afresh, because it may be a symlink that is
 * swapped. Every check is made on the open descriptor, so that what was checked is what is read.
 */
export function openContained(root: SystemPath, path: SystemPath): OpenFile | OpenFailure {
  let fd = -1;
  try {
    fd = openSync(path, OPEN_FLAGS);
    const stats = fstatSync(fd);
    if (stats.isFile() && within(root, readlinkSync(`/proc/self/fd/${fd}`, "buffer"))) {
      const opened = { fd, identity: identityOf(stats) };
      fd = -1;
      return opened;
    }
    return "missing";
  } catch (error) {
    return failureOf(error);
  } finally {
    if (fd >= 0) closeSync(fd);
  }
}

/** Opens `path` if it is still the file that was checked before; `undefined` if not. */
export function openUnchanged(path: SystemPath, identity: FileIdentity): number | undefined {
  let fd = -1;
  try {
    fd = openSync(path, OPEN_FLAGS);
    if (sameIdentity(identityOf(fstatSync(fd)), identity)) {
      const opened = fd;
      fd = -1;
      return opened;
    }
  } catch {
    // Gone or no longer ours to read: looking it up again will say which.
  } finally {
    if (fd >= 0) closeSync(fd);
  }
  return undefined;
}

/** Is this a folder whose real place is inside `root`, or is `root` itself? */
export function isContainedFolder(root: SystemPath, path: SystemPath): boolean {
  if (identify(path)?.kind !== "folder") return false;
  try {
    return within(root, realpathSync(path, "buffer"));
  } catch {
    return false;
  }
}

function within(root: SystemPath, real: Buffer): boolean {
  const realRoot = realpathSync(root, "buffer");
  const length = realRoot.length;
  if (real.length < length || real.compare(realRoot, 0, length, 0, length) !== 0) return false;
  return real.length === length || real[length] === SLASH || realRoot[length - 1] === SLASH;
}

const SLASH = 0x2f;

function identityOf(stats: Stats): FileIdentity {
  return {
    kind: stats.isFile() ? "file" : stats.isDirectory() ? "folder" : "other",
    device: stats.dev,
    inode: stats.ino,
    sizeBytes: stats.size,
    mtimeMs: stats.mtimeMs,
    ctimeMs: stats.ctimeMs,
  };
}

function failureOf(error: unknown): OpenFailure {
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOENT":
    case "ENOTDIR":
    case "ELOOP":
    case "ENAMETOOLONG":
    case "ENXIO":
    case "ENODEV":
      return "missing";
    case "EACCES":
    case "EPERM":
      return "forbidden";
    default:
      return "failed";
  }
}
