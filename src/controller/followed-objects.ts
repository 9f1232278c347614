import type { KubeApi, KubeObject, Query } from "../kube/api.ts";
import type { Sink } from "../sources/kube/collection.ts";
import { systemPace } from "../sources/kube/pace.ts";
import { Reflector, type ReflectorState } from "../sources/kube/reflector.ts";

/** A small collection whose objects are wanted as the server has them: the published Service, the selected namespaces. */
export class FollowedObjects {
  readonly #reflector: Reflector;
  #objects: ReadonlyMap<string, KubeObject> = new Map();

  constructor(api: KubeApi, path: string, query: Query, onChange: () => void) {
    const replace = (objects: ReadonlyMap<string, KubeObject>) => {
      this.#objects = objects;
      onChange();
    };
    const sink: Sink = {
      beginList: () => {
        const next = new Map<string, KubeObject>();
        return {
          begin: () => next.clear(),
          page: (items) => {
            for (const object of items) next.set(object.metadata.name, object);
          },
          commit: () => replace(next),
        };
      },
      apply: ({ type, object }) => {
        const next = new Map(this.#objects);
        if (type === "DELETED") next.delete(object.metadata.name);
        else next.set(object.metadata.name, object);
        replace(next);
      },
    };
    this.#reflector = new Reflector({ api, path, query, sink, pace: systemPace });
    this.#reflector.start();
  }

  /** By name. */
  get objects(): ReadonlyMap<string, KubeObject> {
    return this.#objects;
  }

  get synced(): Promise<void> {
    return this.#reflector.synced;
  }

  get state(): ReflectorState {
    return this.#reflector.state;
  }

  stop(): Promise<void> {
    return this.#reflector.stop();
  }
}
