/** `--manifests`: the tables that a folder of manifests stands for. */
import { type ControlReport, type FolderControl, startFolderControl } from "../reconcile/folder-control.ts";
import { problemText } from "../reconcile/report.ts";
import { FolderError } from "../sources/folder/source.ts";
import { type Routes, type RoutesParts, SourceError } from "./routes.ts";

/** Of one change to the folder; the rest is only counted. */
const MAX_LOGGED_PROBLEMS = 50;

export class FolderRoutes implements Routes {
  readonly #folder: string;
  readonly #parts: RoutesParts;
  #control: FolderControl | undefined;
  #report: ControlReport | undefined;

  constructor(folder: string, parts: RoutesParts) {
    this.#folder = folder;
    this.#parts = parts;
  }

  async start(): Promise<void> {
    try {
      this.#control = await startFolderControl({
        folder: this.#folder,
        allowUwsgiScript: this.#parts.allowUwsgiScript,
        onSnapshot: this.#parts.apply,
        onReport: (report) => this.#note(report),
      });
    } catch (error) {
      if (!(error instanceof FolderError)) throw error;
      throw new SourceError(`option '--manifests' is invalid. ${error.message}`);
    }
  }

  page(): Record<string, unknown> {
    const problems = this.#report?.problems.map(problemText) ?? [];
    return { problems, failure: this.#report?.failure };
  }

  async close(): Promise<void> {
    await this.#control?.close();
  }

  #note(report: ControlReport): void {
    const { log, metrics } = this.#parts;
    this.#report = report;
    const broken = report.fileProblems.filter(({ severity }) => severity !== "warning");
    metrics.manifests(new Set(broken.map(({ file }) => file)).size, report.problems.length);
    for (const problem of report.newProblems.slice(0, MAX_LOGGED_PROBLEMS)) {
      log.warn({ problem: problemText(problem) }, "manifest problem");
    }
    for (const problem of report.solvedProblems.slice(0, MAX_LOGGED_PROBLEMS)) {
      log.info({ problem: problemText(problem) }, "manifest problem solved");
    }
    const unlogged = report.newProblems.length - MAX_LOGGED_PROBLEMS;
    if (unlogged > 0) log.warn({ unlogged }, "more manifest problems, see /routes");
    if (report.failure !== undefined)
      log.error({ reason: report.failure }, "table refused, the last one stays");
  }
}
