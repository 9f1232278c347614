/** For tests of this folder: a temporary site, requests to it, and answers that are easy to compare. */
import { mkdirSync, mkdtempSync, readdirSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { StaticAction } from "../snapshot/snapshot.ts";
import {
  type BodyPart,
  type ContentResponse,
  STATIC_FILES_DEFAULTS,
  StaticFiles,
  type StaticFilesOptions,
} from "./static-files.ts";

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly fields: Record<string, string>;
}

export class TestSite {
  /** Holds `root`, and whatever a test puts beside it. */
  readonly base = mkdtempSync(join(tmpdir(), "static-files-"));
  readonly root = join(this.base, "root");
  readonly files: StaticFiles;
  action: StaticAction;
  nowMs = 0;

  constructor(options: Partial<StaticFilesOptions> = {}) {
    mkdirSync(this.root);
    this.files = new StaticFiles({ ...STATIC_FILES_DEFAULTS, now: () => this.nowMs, ...options });
    const { root } = this;
    this.action = { type: "static", root, stripPrefix: "", index: ["index.html"], dotFiles: false };
  }

  write(name: string, content: string | Uint8Array): string {
    const path = join(this.root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  /** The response itself; the caller closes it. `target` may hold a query, and is one character per byte. */
  serve(target: string, fields: Record<string, string> = {}, method = "GET"): ContentResponse {
    const mark = target.indexOf("?");
    return this.files.serve(this.action, {
      method,
      path: mark < 0 ? target : target.slice(0, mark),
      query: mark < 0 ? "" : target.slice(mark),
      conditional: Object.keys(fields).some((name) => name.startsWith("if-") || name === "range"),
      field: (name) => fields[name],
    });
  }

  get(target: string, fields: Record<string, string> = {}, method = "GET"): Answer {
    const response = this.serve(target, fields, method);
    try {
      const lines = Buffer.from(response.fields).toString("latin1");
      if (!lines.endsWith("\r\n")) throw new Error("fields must end a line");
      const entries = lines.trimEnd().split("\r\n");
      return {
        status: response.status,
        body: Buffer.concat(response.body.map(bytesOf)).toString("latin1"),
        fields: Object.fromEntries(entries.map((line) => line.split(": ", 2) as [string, string])),
      };
    } finally {
      response.close();
    }
  }

  remove(): void {
    this.files.close();
    rmSync(this.base, { recursive: true, force: true });
  }
}

export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

function bytesOf(part: BodyPart): Uint8Array {
  if (part instanceof Uint8Array) return part;
  const bytes = new Uint8Array(part.length);
  const count = readSync(part.fd, bytes, 0, part.length, part.offset);
  if (count !== part.length) throw new Error(`read ${count} of ${part.length} bytes`);
  return bytes;
}
