import { systemTimers } from "../ops/timers.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { FileProblem, Manifests } from "../sources/folder/merge.ts";
import { startFolderSource } from "../sources/folder/source.ts";
import { FOLDER_OPTIONS } from "../translate/options.ts";
import { refusals } from "../translate/refusals.ts";
import { translate } from "../translate/translate.ts";
import { type CycleReport, Reconciler } from "./reconciler.ts";
import { problemText, type ReportedProblem, reportProblems } from "./report.ts";

export interface FolderControlOptions {
  readonly folder: string;
  /** Let params set UWSGI_SCRIPT. */
  readonly allowUwsgiScript?: boolean;
  /** Puts a snapshot in force; a rejection leaves the one before. Called one at a time, with a new version each time. */
  readonly onSnapshot: (snapshot: Snapshot) => void | Promise<void>;
  /** After every change of the folder, whether or not it changes what is served. */
  readonly onReport: (report: ControlReport) => void;
}

/** The state of the control side, for `/routes`, `/metrics` and the log. */
export interface ControlReport extends CycleReport {
  readonly fileProblems: readonly FileProblem[];
  /** Number of objects in force, of every kind. */
  readonly objects: number;
  readonly problems: readonly ReportedProblem[];
  /** Those of `problems` that the report before did not have, and those that it had and are gone: for the log. */
  readonly newProblems: readonly ReportedProblem[];
  readonly solvedProblems: readonly ReportedProblem[];
}

export interface FolderControl {
  /** The newest one. */
  readonly report: ControlReport;
  close(): Promise<void>;
}

/**
 * Reads a folder of manifests, puts what it says in force, and follows it from then on. Resolves once the first
 * snapshot has been given to `onSnapshot`; throws `FolderError` where there is no such folder.
 */
export async function startFolderControl(options: FolderControlOptions): Promise<FolderControl> {
  const translateOptions = { ...FOLDER_OPTIONS, allowUwsgiScript: options.allowUwsgiScript ?? false };
  let report: ControlReport = NO_REPORT;
  /** For what in the next one is still the same. */
  let before: Snapshot | undefined;
  const reconciler = new Reconciler<Manifests>({
    translate: (manifests) => {
      const result = translate(manifests, translateOptions, before);
      before = result.snapshot;
      return result;
    },
    publish: options.onSnapshot,
    report: (cycle, manifests) => {
      report = controlReport(cycle, manifests, report);
      options.onReport(report);
    },
    timers: systemTimers,
    // The source has waited for quiet already.
    holdOffMs: 0,
    maxHoldOffMs: 0,
  });
  const source = await startFolderSource({
    folder: options.folder,
    accept: (object) => refusals(object, translateOptions),
    onChange: (manifests) => reconciler.update(manifests),
  });
  await reconciler.runNow(source.manifests);
  return {
    get report() {
      return report;
    },
    async close() {
      await source.close();
      await reconciler.close();
    },
  };
}

const NO_REPORT: ControlReport = {
  version: "",
  verdicts: [],
  fileProblems: [],
  objects: 0,
  problems: [],
  newProblems: [],
  solvedProblems: [],
};

function controlReport(cycle: CycleReport, manifests: Manifests, before: ControlReport): ControlReport {
  const problems = reportProblems(cycle.verdicts, manifests.problems);
  return {
    ...cycle,
    fileProblems: manifests.problems,
    objects: manifests.objects.length,
    problems,
    newProblems: without(problems, before.problems),
    solvedProblems: without(before.problems, problems),
  };
}

function without(
  problems: readonly ReportedProblem[],
  others: readonly ReportedProblem[],
): ReportedProblem[] {
  const texts = new Set(others.map(problemText));
  return problems.filter((problem) => !texts.has(problemText(problem)));
}
