import type { ObjectRef } from "../resources/metadata.ts";
import { refText } from "../resources/metadata.ts";
import type { Rule } from "../snapshot/snapshot.ts";
import { EndpointResolver, type ServicePortRef } from "./endpoints.ts";
import { type Claim, HostTable } from "./hosts.ts";
import type { ObjectIndex, Route, SourcedRoute } from "./objects.ts";
import type { TranslateOptions } from "./options.ts";
import { SettingsTable } from "./settings.ts";
import { CertificateChecks, type CertificateRef } from "./tls.ts";
import { UpstreamTable, type WeightedUpstream } from "./upstreams.ts";
import {
  type Condition,
  NOTICE_REASONS,
  type Notice,
  summary,
  type Verdict,
  type VerdictProblem,
} from "./verdict.ts";

/** More are counted only: messages are for people. */
const MAX_NOTICES_TOLD = 3;

/** What one run of translate builds up. */
export class Translation {
  readonly hosts = new HostTable<RouteTranslation>();
  readonly settings = new SettingsTable();
  readonly upstreams = new UpstreamTable();
  readonly endpoints: EndpointResolver;
  readonly certificates: CertificateChecks;

  constructor(index: ObjectIndex, { zone, withoutSecrets }: TranslateOptions) {
    this.endpoints = new EndpointResolver(index, zone);
    this.certificates = new CertificateChecks(withoutSecrets ? undefined : index.secrets);
  }
}

/** One object's part of it: its claims, its references, and in the end its verdict. */
export class RouteTranslation {
  readonly ref: ObjectRef;
  readonly translation: Translation;
  readonly #object: Route;
  readonly #file: string | undefined;
  readonly #problems: VerdictProblem[] = [];
  /** By message: many rules may share one. */
  readonly #notices = new Map<string, Notice>();
  #won = 0;
  #lost = 0;

  constructor(translation: Translation, { object, file }: SourcedRoute) {
    const { kind, namespace, name } = object;
    this.translation = translation;
    this.ref = { kind, namespace, name };
    this.#object = object;
    this.#file = file;
  }

  /**
   * Whether the claim is ours now. `field` is where the object makes it. False too, and no problem, where the object has it for the same
   * purpose already: `/foo` and `/foo/` are one prefix.
   */
  claim(claim: Claim, field: string): boolean {
    const holder = this.translation.hosts.claim(claim, this);
    if (holder === undefined) {
      this.#won++;
      return true;
    }
    if (holder.owner === this && holder.purpose === claim.purpose) return false;
    this.#lost++;
    this.#problems.push({ field, reason: "Conflicted", message: this.#conflict(claim, holder.owner) });
    return false;
  }

  /** Whether the object serves that host and path already, by an earlier rule. */
  serves(claim: Omit<Claim, "purpose">): boolean {
    return this.translation.hosts.holder(claim)?.owner === this;
  }

  #conflict(claim: Claim, holder: RouteTranslation): string {
    const host = claim.host === "" ? "any host" : claim.host;
    const by = holder === this ? "an earlier rule of this object" : refText(holder.ref);
    return `asks for ${claim.path.type} path "${claim.path.value || "/"}" of ${host}, which goes to ${by}`;
  }

  addRules(claims: readonly Claim[], rule: Pick<Rule, "id" | "serverName" | "action">): void {
    for (const { host, path, wildcardDepth } of claims) {
      const { id, serverName, action } = rule;
      this.translation.hosts.add(host, { id, path, wildcardDepth, serverName, action });
    }
  }

  /** The upstream behind a Service's port; `undefined`, and a problem, where there is none. */
  service(ref: ServicePortRef, weight: number, field: string): WeightedUpstream | undefined {
    const resolution = this.translation.endpoints.resolve(ref);
    if (resolution.type === "unresolved") {
      this.unresolved({ field, reason: resolution.reason, message: resolution.message });
      return undefined;
    }
    if (resolution.notice !== undefined) {
      this.#notice({ reason: "NoEndpoints", message: resolution.notice });
    }
    return { upstream: resolution.upstream, weight };
  }

  /** Looks at a certificate. Whatever is wrong with it, the rules are served: HTTP needs none. */
  certificate(ref: CertificateRef, field: string): void {
    const finding = this.translation.certificates.check(ref);
    if (finding.type === "unresolved") {
      this.unresolved({ field, reason: finding.reason, message: finding.message });
    } else if (finding.notice !== undefined) {
      this.#notice({ reason: "HostnameNotCovered", message: finding.notice });
    }
  }

  #notice(notice: Notice): void {
    this.#notices.set(notice.message, notice);
  }

  unresolved(problem: VerdictProblem): void {
    this.#problems.push(problem);
  }

  verdict(): Verdict {
    const { generation, uid } = this.#object;
    return {
      ref: this.ref,
      ...(this.#file === undefined ? {} : { file: this.#file }),
      ...(generation === undefined ? {} : { generation }),
      ...(uid === undefined ? {} : { uid }),
      conditions: [this.#accepted(), this.#resolvedRefs()],
      problems: this.#problems,
    };
  }

  #accepted(): Condition {
    const conflicts = this.#problems.filter((each) => each.reason === "Conflicted");
    if (this.#lost === 0) {
      return { type: "Accepted", status: "True", reason: "Accepted", message: "the object is in force" };
    }
    const message = summary(conflicts);
    if (this.#won === 0) return { type: "Accepted", status: "False", reason: "Conflicted", message };
    return { type: "Accepted", status: "True", reason: "PartiallyConflicted", message };
  }

  #resolvedRefs(): Condition {
    const unresolved = this.#problems.filter((each) => each.reason !== "Conflicted");
    if (unresolved.length > 0) {
      const reason = unresolved[0]!.reason as Extract<Condition, { type: "ResolvedRefs" }>["reason"];
      return { type: "ResolvedRefs", status: "False", reason, message: summary(unresolved) };
    }
    const notices = [...this.#notices.values()];
    const reason = NOTICE_REASONS.find((each) => notices.some((notice) => notice.reason === each));
    if (reason !== undefined) {
      return { type: "ResolvedRefs", status: "True", reason, message: noticeText(notices) };
    }
    const message = "every backend was found";
    return { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", message };
  }
}

function noticeText(notices: readonly Notice[]): string {
  const idle = notices.filter(({ reason }) => reason === "NoEndpoints");
  const others = notices.filter(({ reason }) => reason !== "NoEndpoints");
  return [
    ...(idle.length === 0 ? [] : [`requests get 503: ${listed(idle)}`]),
    ...others.map(({ message }) => message),
  ]
    .slice(0, MAX_NOTICES_TOLD)
    .join("; ");
}

function listed(notices: readonly Notice[]): string {
  return notices
    .slice(0, MAX_NOTICES_TOLD)
    .map(({ message }) => message)
    .join("; ");
}
