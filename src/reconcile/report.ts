import type { ObjectRef } from "../resources/metadata.ts";
import { refText } from "../resources/metadata.ts";
import type { FileProblem } from "../sources/folder/merge.ts";
import { NOTICE_REASONS, type Verdict } from "../translate/verdict.ts";

/** One line for people: in the log, in `/routes` and from `check`. */
export interface ReportedProblem {
  /** A warning stops nothing: a Service without ready endpoints, a certificate that is not for a hostname. */
  readonly severity: "error" | "warning";
  readonly file?: string;
  /** Counted from 1. */
  readonly line?: number;
  readonly ref?: ObjectRef;
  readonly field?: string;
  readonly message: string;
}

/** The problems of files, then those of objects. */
export function reportProblems(
  verdicts: readonly Verdict[],
  files: readonly FileProblem[],
): readonly ReportedProblem[] {
  const reported: ReportedProblem[] = files.map((problem) => ({ severity: "error", ...problem }));
  for (const { ref, file, conditions, problems } of verdicts) {
    const object = file === undefined ? { ref } : { file, ref };
    for (const { field, message } of problems)
      reported.push({ severity: "error", ...object, field, message });
    const noticed = conditions.find(({ reason }) => (NOTICE_REASONS as readonly string[]).includes(reason));
    if (noticed !== undefined) reported.push({ severity: "warning", ...object, message: noticed.message });
  }
  return reported;
}

/** `site.yaml: UwsgiRoute web/myapp: spec.rules[0].static.root: is required: give a string` */
export function problemText({ severity, file, line, ref, field, message }: ReportedProblem): string {
  const parts: string[] = [];
  if (file !== undefined) parts.push(line === undefined ? file : `${file}:${line}`);
  if (severity === "warning") parts.push("warning");
  if (ref !== undefined) parts.push(refText(ref));
  if (field) parts.push(field);
  return [...parts, message].join(": ");
}
