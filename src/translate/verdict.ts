import type { ObjectRef } from "../resources/metadata.ts";

/** Why an object is served, or is not. `PartiallyConflicted`: served but for what others had first. */
export const ACCEPTED_REASONS = ["Accepted", "Invalid", "Conflicted", "PartiallyConflicted"] as const;
export type AcceptedReason = (typeof ACCEPTED_REASONS)[number];

/**
 * Whether its backends and certificates were found. True with a reason of its own: `NoEndpoints`, found, and nothing is ready behind
 * them; `HostnameNotCovered`, a certificate that is not for a name. Certificates stop no rule from being served.
 */
export const RESOLVED_REFS_REASONS = [
  "ResolvedRefs",
  "NoEndpoints",
  "HostnameNotCovered",
  "BackendNotFound",
  "PortNotFound",
  "UnsupportedBackend",
  "SecretNotFound",
  "InvalidCertificate",
  "RefNotPermitted",
] as const;
export type ResolvedRefsReason = (typeof RESOLVED_REFS_REASONS)[number];

export type Condition =
  | ConditionOf<"Accepted", AcceptedReason>
  | ConditionOf<"ResolvedRefs", ResolvedRefsReason>;

interface ConditionOf<Type extends string, Reason extends string> {
  readonly type: Type;
  readonly status: "True" | "False";
  readonly reason: Reason;
  readonly message: string;
}

/** One thing for the owner of the object to mend. */
export interface VerdictProblem {
  readonly field: string;
  readonly reason: AcceptedReason | ResolvedRefsReason;
  readonly message: string;
}

/** What works and is yet worth a look. */
export interface Notice {
  readonly reason: (typeof NOTICE_REASONS)[number];
  readonly message: string;
}

/** The first of these that there is gives the condition its reason. */
export const NOTICE_REASONS = ["NoEndpoints", "HostnameNotCovered"] as const;

/** What became of one object. */
export interface Verdict {
  readonly ref: ObjectRef;
  readonly file?: string;
  /** Of the state that this is about, where an API server counts it. */
  readonly generation?: number;
  readonly uid?: string;
  readonly conditions: readonly Condition[];
  readonly problems: readonly VerdictProblem[];
}

/** Texts of several problems as one message of bounded length. */
export function summary(problems: readonly { readonly field: string; readonly message: string }[]): string {
  const texts = problems.slice(0, 3).map(({ field, message }) => `${field} ${message}`.trim());
  if (problems.length > 3) texts.push(`and ${problems.length - 3} more`);
  return texts.join("; ");
}
