/** The cluster's objects as translate takes them, with what changed since it last did. */
import type { KubeApi } from "../kube/api.ts";
import type { ControllerOptions } from "../ops/controller-options.ts";
import type { ObjectRef } from "../resources/metadata.ts";
import type { KubeChange } from "../sources/kube/change.ts";
import type { ReflectorState } from "../sources/kube/reflector.ts";
import {
  type KubeSource,
  type KubeSourceState,
  type RouteState,
  startKubeSource,
} from "../sources/kube/source.ts";
import type { ObjectSet } from "../translate/objects.ts";
import type { TranslateOptions } from "../translate/options.ts";
import { FollowedObjects } from "./followed-objects.ts";

export interface ClusterState extends KubeSourceState {
  /** Of those that the selector selects; absent where there is none. */
  readonly namespaces?: ReflectorState;
}

export class ClusterObjects {
  /** Everything has been listed. */
  readonly synced: Promise<void>;
  readonly #source: KubeSource;
  readonly #namespaces: FollowedObjects | undefined;
  readonly #onChange: () => void;
  #isSynced = false;
  /** Services whose endpoints changed, while nothing else did; `undefined`: something else did. */
  #changedServices: Set<string> | undefined;

  constructor(
    api: KubeApi,
    options: ControllerOptions,
    translateOptions: TranslateOptions,
    onChange: () => void,
  ) {
    this.#onChange = onChange;
    const { namespaces, namespaceSelector, maxSecrets } = options;
    this.#source = startKubeSource({
      api,
      namespaces: namespaces.length === 0 ? "all" : namespaces,
      translateOptions,
      onChange: (change) => this.#note(change),
      maxSecrets,
    });
    if (namespaceSelector !== undefined) {
      const query = { labelSelector: namespaceSelector };
      this.#namespaces = new FollowedObjects(api, "/api/v1/namespaces", query, () => this.#note());
    }
    this.synced = Promise.all([this.#source.synced, this.#namespaces?.synced]).then(() => {
      this.#isSynced = true;
    });
  }

  /** In namespaces that are selected, or in none. */
  get objects(): ObjectSet {
    const { objects } = this.#source;
    const selected = this.#namespaces?.objects;
    if (selected === undefined) return objects;
    const isSelected = (namespace: string) => namespace === "" || selected.has(namespace);
    return {
      objects: objects.objects.filter(({ object }) => isSelected(object.namespace)),
      invalid: objects.invalid.filter(({ ref }) => isSelected(ref.namespace)),
    };
  }

  /** The Services whose endpoints changed since the last call, where that is all that did. */
  takeChangedServices(): ReadonlySet<string> | undefined {
    const changed = this.#changedServices;
    this.#changedServices = new Set();
    return changed;
  }

  routeState(ref: ObjectRef): RouteState | undefined {
    return this.#source.routeState(ref);
  }

  get state(): ClusterState {
    const namespaces = this.#namespaces?.state;
    return { ...this.#source.state, ...(namespaces === undefined ? {} : { namespaces }) };
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  async stop(): Promise<void> {
    await Promise.all([this.#source.stop(), this.#namespaces?.stop()]);
  }

  #note(change?: KubeChange): void {
    if (change?.isEndpointsOnly) {
      for (const service of change.services) this.#changedServices?.add(service);
    } else {
      this.#changedServices = undefined;
    }
    if (this.#isSynced) this.#onChange();
  }
}
