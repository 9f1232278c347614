/**
 * A file without a name for what does not fit in memory. Reads and writes go to the page cache and do not
 * wait for the disk, as NGINX's do; the file is gone from the folder as soon as it is open.
 */
import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";

let sequence = 0;

export class TempFile {
  length = 0;
  private readonly fd: number;

  /** Throws the system's error (ENOENT, ENOSPC, EMFILE …). */
  constructor(folder: string) {
    const path = join(folder, `.uwsgi-gateway-${process.pid}-${sequence++}`);
    this.fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    unlinkSync(path);
  }

  append(bytes: Buffer, from: number, to: number): void {
    for (let at = from; at < to; ) {
      const written = writeSync(this.fd, bytes, at, to - at, this.length);
      at += written;
      this.length += written;
    }
  }

  /** Reads up to `target.length` bytes at `position`; 0 at the end. */
  read(target: Buffer, position: number): number {
    return readSync(this.fd, target, 0, Math.min(target.length, this.length - position), position);
  }

  close(): void {
    closeSync(this.fd);
  }
}
