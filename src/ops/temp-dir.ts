import { closeSync, openSync, unlinkSync } from "node:fs";
import { join } from "node:path";

/**
 * Makes a file there and removes it, so that a folder that cannot be used shows at the start and not at the first large
 * upload. Throws the system's error (ENOENT, EACCES, EROFS …).
 */
export function checkTempDir(folder: string): void {
  const path = join(folder, `.uwsgi-gateway-check-${process.pid}`);
  closeSync(openSync(path, "wx", 0o600));
  unlinkSync(path);
}
