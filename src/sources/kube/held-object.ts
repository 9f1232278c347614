import { isDeepStrictEqual } from "node:util";
import type { KubeObject } from "../../kube/api.ts";
import { DOMAIN } from "../../resources/annotations.ts";
import { CLASS_ANNOTATION } from "../../resources/ingress.ts";
import { type InvalidResult, parseObject, type Resource } from "../../resources/parse.ts";
import type { Problem } from "../../resources/problem.ts";
import type { InvalidObject, SourcedObject } from "../../translate/objects.ts";
import type { KindPath } from "./kinds.ts";

/** What is kept of one object of the API server: never the raw one. */
export interface HeldObject {
  readonly uid: string | undefined;
  readonly generation: number | undefined;
  readonly resourceVersion: string | undefined;
  /** Raw; of routes only. */
  readonly status?: unknown;
  /** The annotations that we read, as text, to see whether they changed. */
  readonly annotations: string;
  /** The last good state; the same value as long as nothing in it changes. */
  readonly good?: SourcedObject;
  /** Why the newest state is not the good one. */
  readonly invalid?: InvalidObject;
}

/** A second look at a well-formed object: problems that make it unacceptable here. */
export type Accept = (object: Resource) => readonly Problem[];

/**
 * Reads an object's new state, taking over from `before` what has not changed. `undefined` where it is none of ours (a Secret of
 * another type).
 */
export function readHeld(
  raw: KubeObject,
  path: KindPath,
  before: HeldObject | undefined,
  accept: Accept,
): HeldObject | undefined {
  const { uid, generation, resourceVersion } = raw.metadata;
  // The same name with another uid is another object: it inherits nothing.
  const same = before !== undefined && before.uid === uid ? before : undefined;
  if (same !== undefined && resourceVersion !== undefined && same.resourceVersion === resourceVersion)
    return same;
  const facts = {
    uid,
    generation,
    resourceVersion,
    annotations: ownAnnotations(raw),
    ...(isRoute(path) ? { status: raw["status"] } : {}),
  };
  // The spec is what it was: most updates of a route are of its status, and are ours.
  const isSameSpec = generation !== undefined && same?.generation === generation;
  if (isRoute(path) && isSameSpec && same.annotations === facts.annotations) {
    return { ...facts, ...contentOf(same) };
  }
  const content = readContent(raw, path, same, accept);
  return content && { ...facts, ...content };
}

/** Whether anything that is read of it differs. */
export function differs(a: HeldObject | undefined, b: HeldObject | undefined): boolean {
  return a?.good !== b?.good || a?.invalid !== b?.invalid || (a !== undefined && a.uid !== b?.uid);
}

type Content = Pick<HeldObject, "good" | "invalid">;

function contentOf({ good, invalid }: Content): Content {
  return { ...(good === undefined ? {} : { good }), ...(invalid === undefined ? {} : { invalid }) };
}

function readContent(
  raw: KubeObject,
  { kind, apiVersion }: KindPath,
  before: HeldObject | undefined,
  accept: Accept,
): Content | undefined {
  const result = parseObject({ ...raw, apiVersion, kind });
  if (result.type === "ignored") return undefined;
  if (result.type === "invalid") return refused(result, raw, before);
  const problems = accept(result.object);
  if (problems.length > 0) {
    const { namespace, name } = result.object;
    const className = "className" in result.object ? { className: result.object.className } : {};
    return refused({ type: "invalid", ref: { kind, namespace, name }, ...className, problems }, raw, before);
  }
  const isSame = before?.good !== undefined && sameContent(before.good.object, result.object);
  return { good: isSame ? before.good! : { object: result.object } };
}

/** Its last good state stays. */
function refused(result: InvalidResult, raw: KubeObject, before: HeldObject | undefined): Content {
  const { generation, uid } = raw.metadata;
  const invalid: InvalidObject = {
    // An object of the API server has a name.
    ref: result.ref!,
    ...(result.className === undefined ? {} : { className: result.className }),
    ...(generation === undefined ? {} : { generation }),
    ...(uid === undefined ? {} : { uid }),
    problems: result.problems,
  };
  const isSame = before?.invalid !== undefined && isDeepStrictEqual(before.invalid, invalid);
  return contentOf({ ...before, invalid: isSame ? before.invalid! : invalid });
}

/** The generation counts for routes alone: their status repeats it. Services and slices change in ways that we do not read. */
function sameContent(a: Resource, b: Resource): boolean {
  if (a.kind === "Secret" && b.kind === "Secret") return a.data.equals(b.data);
  if (a.kind === "Ingress" || a.kind === "UwsgiRoute") return isDeepStrictEqual(a, b);
  return isDeepStrictEqual({ ...a, generation: 0 }, { ...b, generation: 0 });
}

function isRoute({ kind }: KindPath): boolean {
  return kind === "Ingress" || kind === "UwsgiRoute";
}

function ownAnnotations(raw: KubeObject): string {
  const annotations = Object.entries((raw.metadata["annotations"] ?? {}) as Record<string, unknown>);
  const own = annotations
    .filter(([name]) => name === CLASS_ANNOTATION || name.startsWith(`${DOMAIN}/`))
    .sort();
  return own.length === 0 ? "" : JSON.stringify(own);
}
