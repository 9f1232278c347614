import { readFile, stat } from "node:fs/promises";
import { type FileContent, type ParseContext, parseContent } from "./content.ts";

/** Which names in a folder are manifests. Hidden files are not: editors and the kubelet keep theirs there. */
export function isManifestName(name: string): boolean {
  return /^[^.].*\.(yaml|yml|json)$/.test(name);
}

export const ABSENT = "absent";

/**
 * Tells one state of a file from another without reading it; `ABSENT` where there is no regular file. Symlinks are
 * followed. The change time is part of it, as it moves on where a copy keeps size and modification time.
 */
export async function fileIdentity(path: string): Promise<string> {
  try {
    const stats = await stat(path, { bigint: true });
    if (!stats.isFile()) return ABSENT;
    return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Other errors do not say that the file is gone: reading it reports them, and its objects stay.
    return code === "ENOENT" || code === "ENOTDIR" ? ABSENT : `error:${code}`;
  }
}

/** Reads and parses a file. What goes wrong with the file as a whole is a fault of its content. */
export async function readManifest(
  path: string,
  before: FileContent,
  maxFileBytes: number,
  context: ParseContext,
): Promise<FileContent> {
  try {
    const { size } = await stat(path);
    if (size > maxFileBytes) return faulty(before, `is larger than ${maxFileBytes} bytes: split it`);
    const bytes = await readFile(path);
    if (context.slice.isOver()) await context.slice.pause();
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return await parseContent(text, path.endsWith(".json") ? "json" : "yaml", before, context);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return faulty(
      before,
      `cannot be read: ${code === "ERR_ENCODING_INVALID_ENCODED_DATA" ? "not UTF-8" : message}`,
    );
  }
}

function faulty(before: FileContent, message: string): FileContent {
  return { entries: [], faults: [{ message }], warnings: [], documents: before.documents };
}
