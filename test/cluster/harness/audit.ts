/** The API server's audit log: who asked for what, and whether it was allowed. */
import { existsSync, readFileSync } from "node:fs";

/** Every request, without bodies. A watch is told when it begins, so that it need not end to be seen. */
export const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{ level: Metadata }]
`;

/** The fields of `audit.k8s.io/v1` Event that tests ask for. */
export interface AuditEvent {
  readonly stage: "ResponseStarted" | "ResponseComplete" | "Panic";
  readonly verb: string;
  /** Path and query. */
  readonly requestURI: string;
  readonly user: { readonly username: string; readonly groups?: readonly string[] };
  readonly userAgent?: string;
  readonly objectRef?: {
    readonly resource?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly apiGroup?: string;
    readonly subresource?: string;
  };
  readonly responseStatus?: { readonly code?: number; readonly reason?: string };
  /** `authorization.k8s.io/decision` is `allow` or `forbid`. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Oldest first. A line that is being written right now is left out. */
export function readAuditLog(path: string): AuditEvent[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  lines.pop();
  return lines.map((line) => JSON.parse(line) as AuditEvent);
}

/** Whether RBAC refused it, or it was not known who asked. */
export function wasDenied(event: AuditEvent): boolean {
  const decision = event.annotations?.["authorization.k8s.io/decision"];
  return decision === "forbid" || event.responseStatus?.code === 401;
}
