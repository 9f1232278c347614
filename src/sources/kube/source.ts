/**
 * The door of this folder: the objects of a Kubernetes API server, as a set that follows it. Each kind is followed on its own; an
 * object's bad state is reported, and its last good one stays; while the server is away, what it said last stays.
 */
import type { KubeApi } from "../../kube/api.ts";
import type { Kind, ObjectRef } from "../../resources/metadata.ts";
import type { ObjectSet } from "../../translate/objects.ts";
import type { TranslateOptions } from "../../translate/options.ts";
import { refusals } from "../../translate/refusals.ts";
import { ChangeLog, type KubeChange } from "./change.ts";
import { type Followed, type FollowOptions, follow, type KindState, kindState } from "./followed.ts";
import { WATCHED_KINDS } from "./kinds.ts";
import { type Pace, systemPace } from "./pace.ts";
import { namedSecrets } from "./secret-names.ts";
import { FollowedSecrets } from "./secrets.ts";

export interface KubeSourceOptions {
  readonly api: KubeApi;
  /** Objects of other namespaces are not even asked for. IngressClasses have none and are always read. */
  readonly namespaces: "all" | readonly string[];
  /** Whose routes may name Secrets for us to read, and what is refused in a route. */
  readonly translateOptions: TranslateOptions;
  /** After `synced`, with all changes of one moment together. `objects` has them already. */
  readonly onChange: (change: KubeChange) => void;
  readonly maxSecrets?: number;
  readonly pace?: Pace;
}

export const MAX_SECRETS = 1_000;

/** What writing an object's status needs: its newest state, which may not be the one that `objects` holds. */
export interface RouteState {
  readonly uid: string;
  readonly generation: number;
  readonly resourceVersion: string;
  /** As the server gave it; `undefined` where it has none. */
  readonly status: unknown;
}

export interface KubeSourceState {
  readonly synced: boolean;
  readonly kinds: readonly KindState[];
  /** Secrets that routes name and that are not followed, being more than `maxSecrets`. */
  readonly skippedSecrets: number;
}

export function startKubeSource(options: KubeSourceOptions): KubeSource {
  return new KubeSource(options);
}

/** Changes of these can change which Secrets are named. */
const NAMING_KINDS: readonly Kind[] = ["Ingress", "IngressClass", "UwsgiRoute"];

export class KubeSource {
  /** Every kind has been listed with success, and every Secret that a route names was asked for. Stays open after `stop`. */
  readonly synced: Promise<void>;
  readonly #options: KubeSourceOptions;
  readonly #followed: readonly Followed[];
  readonly #secrets: FollowedSecrets;
  readonly #changes = new ChangeLog();
  #objects: ObjectSet | undefined;
  #isSynced = false;
  #isFlushing = false;
  #isStopped = false;

  constructor(options: KubeSourceOptions) {
    this.#options = options;
    const { api, translateOptions, namespaces, maxSecrets = MAX_SECRETS, pace = systemPace } = options;
    const followOptions: FollowOptions = {
      api,
      accept: (object) => refusals(object, translateOptions),
      onDifference: (...difference) => {
        this.#objects = undefined;
        this.#changes.note(...difference);
        this.#scheduleFlush();
      },
      pace,
    };
    this.#secrets = new FollowedSecrets(followOptions, maxSecrets);
    this.#followed = WATCHED_KINDS.flatMap((path) => {
      const scopes = namespaces === "all" || !path.isNamespaced ? [""] : [...new Set(namespaces)];
      return scopes.map((namespace) => follow(path, namespace, followOptions));
    });
    this.synced = this.#sync();
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** The present state; the same value as long as nothing changes, and objects that did not change are the same values in the next. */
  get objects(): ObjectSet {
    if (this.#objects === undefined) {
      const collections = this.#all.map(({ collection }) => collection);
      this.#objects = {
        objects: collections.flatMap(({ good }) => good),
        invalid: collections.flatMap(({ invalid }) => invalid),
      };
    }
    return this.#objects;
  }

  /** Of an Ingress or UwsgiRoute; `undefined` where there is none. Changes of it alone are not told. */
  routeState({ kind, namespace, name }: ObjectRef): RouteState | undefined {
    if (kind !== "Ingress" && kind !== "UwsgiRoute") return undefined;
    for (const { collection } of this.#of(kind)) {
      const held = collection.get(namespace, name);
      if (held === undefined) continue;
      const { uid = "", generation = 0, resourceVersion = "", status } = held;
      return { uid, generation, resourceVersion, status };
    }
    return undefined;
  }

  get state(): KubeSourceState {
    const kinds = WATCHED_KINDS.map(({ kind }) => kindState(kind, this.#of(kind)));
    return {
      synced: this.#isSynced,
      kinds: [...kinds, kindState("Secret", this.#secrets.followed)],
      skippedSecrets: this.#secrets.skipped,
    };
  }

  /** Resolves when nothing is under way any more. `onChange` is not called again. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#followed.map(({ reflector }) => reflector.stop()), this.#secrets.stop()]);
  }

  get #all(): readonly Followed[] {
    return [...this.#followed, ...this.#secrets.followed];
  }

  #of(kind: Kind): readonly Followed[] {
    return this.#followed.filter(({ collection }) => collection.path.kind === kind);
  }

  async #sync(): Promise<void> {
    await Promise.all(this.#followed.map(({ reflector }) => reflector.synced));
    this.#updateSecrets();
    await this.#secrets.answered();
    // Routes may have changed meanwhile.
    this.#updateSecrets();
    this.#changes.take();
    this.#isSynced = true;
  }

  #updateSecrets(): void {
    if (this.#isStopped) return;
    const good = (kind: Kind) => this.#of(kind).flatMap(({ collection }) => collection.good);
    const routes = [...good("Ingress"), ...good("UwsgiRoute")];
    this.#secrets.update(namedSecrets(good("IngressClass"), routes, this.#options.translateOptions));
  }

  /** Once all events of a chunk are in. */
  #scheduleFlush(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      if (this.#isSynced && !this.#isStopped) this.#flush();
    });
  }

  #flush(): void {
    const change = this.#changes.take();
    if (change === undefined) return;
    // May find Secrets to drop, which makes a change of its own.
    if (NAMING_KINDS.some((kind) => change.kinds.has(kind))) this.#updateSecrets();
    this.#options.onChange(change);
  }
}
