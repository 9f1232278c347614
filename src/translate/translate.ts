/**
 * The door of this folder: objects in, what to serve and what became of each object out. A pure function: no clock,
 * no I/O, no logger; the same objects in any order give the same snapshot.
 */
import { type ObjectRef, refKey } from "../resources/metadata.ts";
import { sameWhereEqual } from "../snapshot/host-equality.ts";
import { sortedBy } from "../snapshot/order.ts";
import { SNAPSHOT_FORMAT, type Snapshot } from "../snapshot/snapshot.ts";
import { snapshotVersion } from "../snapshot/version.ts";
import { type IsOurs, ourClasses } from "./classes.ts";
import type { FoundPort } from "./endpoints.ts";
import { translateDefaultBackend, translateIngress } from "./ingress.ts";
import { type InvalidObject, indexObjects, type ObjectSet, type SourcedRoute } from "./objects.ts";
import type { TranslateOptions } from "./options.ts";
import { comparePrecedence } from "./precedence.ts";
import { refusals } from "./refusals.ts";
import { RouteTranslation, Translation } from "./translation.ts";
import { translateUwsgiRoute } from "./uwsgiroute.ts";
import { summary, type Verdict } from "./verdict.ts";

export interface TranslateResult {
  readonly snapshot: Snapshot;
  /** One for each Ingress and UwsgiRoute of our classes, and for each invalid object that may be ours. */
  readonly verdicts: readonly Verdict[];
}

/** With what the next change of endpoints is measured against. */
export interface Translated extends TranslateResult {
  readonly found: readonly FoundPort[];
}

/** `before`: what it gave before a change. It makes no difference to the result but that equal hosts are the very same values. */
export function translate(
  { objects, invalid }: ObjectSet,
  options: TranslateOptions,
  before?: Snapshot,
): Translated {
  const index = indexObjects(objects);
  const isOurs = ourClasses(index.classes, options);
  const { routes, refused } = selectRoutes(index.routes, isOurs, options);
  const translation = new Translation(index, options);
  const parts = routes.map((route) => new RouteTranslation(translation, route));
  routes.forEach(({ object }, i) => {
    if (object.kind === "Ingress") translateIngress(object, parts[i]!);
    else translateUwsgiRoute(object, parts[i]!);
  });
  routes.forEach(({ object }, i) => {
    if (object.kind === "Ingress") translateDefaultBackend(object, parts[i]!);
  });
  const verdicts = parts.map((part) => part.verdict());
  const bad = [...refused, ...invalid.filter((each) => mayBeOurs(each, isOurs))];
  const found = translation.endpoints.found();
  return { snapshot: snapshotOf(translation, before), verdicts: addInvalid(verdicts, bad), found };
}

/** Routes of our classes, in the order in which they may claim. */
function selectRoutes(all: readonly SourcedRoute[], isOurs: IsOurs, options: TranslateOptions) {
  const routes: SourcedRoute[] = [];
  const refused: InvalidObject[] = [];
  const ours = all.filter(({ object }) => isOurs(object.className));
  ours.sort((a, b) => comparePrecedence(a.object, b.object));
  for (const route of ours) {
    const problems = refusals(route.object, options);
    if (problems.length === 0) routes.push(route);
    else
      refused.push({
        ref: refOf(route),
        problems,
        ...(route.file === undefined ? {} : { file: route.file }),
        ...identity(route.object),
      });
  }
  return { routes, refused };
}

function refOf({ object: { kind, namespace, name } }: SourcedRoute): ObjectRef {
  return { kind, namespace, name };
}

/** Which state of which object. */
function identity({ generation, uid }: Pick<InvalidObject, "generation" | "uid">) {
  return { ...(generation === undefined ? {} : { generation }), ...(uid === undefined ? {} : { uid }) };
}

function mayBeOurs({ ref, className }: InvalidObject, isOurs: IsOurs): boolean {
  return ref.kind === "Ingress" || ref.kind === "UwsgiRoute" ? isOurs(className) : true;
}

function snapshotOf(translation: Translation, before: Snapshot | undefined): Snapshot {
  const content = {
    format: SNAPSHOT_FORMAT,
    hosts: sameWhereEqual(
      sortedBy(translation.hosts.entries(), ({ hostname }) => hostname),
      before?.hosts ?? [],
    ),
    settings: sortedBy(translation.settings.values(), ({ id }) => id),
    upstreams: sortedBy(translation.upstreams.values(), ({ id }) => id),
  } as const;
  return { version: snapshotVersion(content), ...content };
}

/** An invalid object keeps the verdict on its references where an earlier state of it serves. */
function addInvalid(verdicts: readonly Verdict[], invalid: readonly InvalidObject[]): readonly Verdict[] {
  if (invalid.length === 0) return verdicts;
  const byKey = new Map(verdicts.map((verdict) => [refKey(verdict.ref), verdict]));
  for (const object of invalid) {
    const serving = byKey.get(refKey(object.ref));
    byKey.set(refKey(object.ref), invalidVerdict(object, serving));
  }
  return [...byKey.values()];
}

function invalidVerdict(object: InvalidObject, serving: Verdict | undefined): Verdict {
  const { ref, file, problems } = object;
  const state = serving === undefined ? "" : "; its last good state keeps serving";
  const message = `${summary(problems)}${state}`;
  const found = problems.map(({ field, message }) => ({ field, reason: "Invalid" as const, message }));
  return {
    ref,
    ...(file === undefined ? {} : { file }),
    ...identity(object),
    conditions: [
      { type: "Accepted", status: "False", reason: "Invalid", message },
      ...(serving?.conditions.slice(1) ?? []),
    ],
    problems: [...found, ...(serving?.problems ?? [])],
  };
}
