import type { KubeApi } from "../../kube/api.ts";
import type { Kind } from "../../resources/metadata.ts";
import { Collection, type OnDifference } from "./collection.ts";
import type { Accept } from "./held-object.ts";
import { collectionPath, type KindPath } from "./kinds.ts";
import type { Pace } from "./pace.ts";
import { Reflector, type ReflectorError } from "./reflector.ts";

/** A collection and the reflector that fills it. */
export interface Followed {
  readonly collection: Collection;
  readonly reflector: Reflector;
}

export interface FollowOptions {
  readonly api: KubeApi;
  readonly accept: Accept;
  readonly onDifference: OnDifference;
  readonly pace: Pace;
}

/** Starts to follow a kind. `namespace` `""` stands for all of them. */
export function follow(path: KindPath, namespace: string, options: FollowOptions): Followed {
  const { api, accept, onDifference, pace } = options;
  const collection = new Collection(path, accept, onDifference);
  const reflector = new Reflector({
    api,
    path: collectionPath(path, namespace),
    query: path.query,
    sink: collection,
    pace,
  });
  reflector.start();
  return { collection, reflector };
}

/** How it stands with one kind, for metrics and health. */
export interface KindState {
  readonly kind: Kind;
  /** Of every reflector of the kind. */
  readonly synced: boolean;
  /** One per kind, per namespace where a list of them is given, and per Secret that a route names. */
  readonly reflectors: number;
  readonly objects: number;
  readonly invalid: number;
  /** What keeps it from following at present; the newest. */
  readonly lastError?: ReflectorError;
  /** Of the newest list, event or bookmark. */
  readonly lastEventEpochMs?: number;
  readonly relists: number;
}

export function kindState(kind: Kind, followed: readonly Followed[]): KindState {
  const states = followed.map(({ reflector }) => reflector.state);
  const errors = states.flatMap(({ lastError }) => lastError ?? []);
  const newest = errors.sort((a, b) => b.atEpochMs - a.atEpochMs)[0];
  const events = states.flatMap(({ lastEventEpochMs }) => lastEventEpochMs ?? []);
  return {
    kind,
    synced: states.every(({ synced }) => synced),
    reflectors: followed.length,
    objects: sum(followed, ({ collection }) => collection.good.length),
    invalid: sum(followed, ({ collection }) => collection.invalid.length),
    ...(newest === undefined ? {} : { lastError: newest }),
    ...(events.length === 0 ? {} : { lastEventEpochMs: events.reduce((a, b) => Math.max(a, b)) }),
    relists: sum(states, ({ relists }) => relists),
  };
}

function sum<T>(list: readonly T[], value: (each: T) => number): number {
  return list.reduce((total, each) => total + value(each), 0);
}
