import type { Snapshot } from "../snapshot/snapshot.ts";
import { changeEndpoints } from "../translate/endpoint-change.ts";
import { indexObjects, type ObjectSet, type SourcedObject } from "../translate/objects.ts";
import type { TranslateOptions } from "../translate/options.ts";
import { type Translated, translate } from "../translate/translate.ts";

/** How often each way was taken, for metrics. */
export interface TranslateCounts {
  full: number;
  endpointsOnly: number;
}

/** Translates again what changed: everything, or, where pods alone came and went, their upstreams. */
export class Translator {
  readonly counts: TranslateCounts = { full: 0, endpointsOnly: 0 };
  readonly #options: TranslateOptions;
  #last: Translated | undefined;
  /** The newest that there was, for what in it is still the same. */
  #snapshot: Snapshot | undefined;

  constructor(options: TranslateOptions) {
    this.#options = options;
  }

  /** `changedServices` as of the result before; `undefined` where other things changed too. */
  translate(objects: ObjectSet, changedServices: ReadonlySet<string> | undefined): Translated {
    const last = this.#last;
    // Where translating throws, the next change must not build on what came before.
    this.#last = undefined;
    const result = this.#changed(last, objects, changedServices) ?? this.#whole(objects);
    this.#last = result;
    this.#snapshot = result.snapshot;
    return result;
  }

  #changed(
    last: Translated | undefined,
    { objects }: ObjectSet,
    services: ReadonlySet<string> | undefined,
  ): Translated | undefined {
    if (last === undefined || services === undefined) return undefined;
    const { zone } = this.#options;
    const change = {
      services,
      index: indexObjects(objects.filter((each) => isBehind(each, services))),
      ...(zone === undefined ? {} : { zone }),
    };
    const snapshot = changeEndpoints(last, change);
    if (snapshot === undefined) return undefined;
    this.counts.endpointsOnly++;
    return { ...last, snapshot };
  }

  #whole(objects: ObjectSet): Translated {
    this.counts.full++;
    return translate(objects, this.#options, this.#snapshot);
  }
}

/** Whether it is one of the Services, or an EndpointSlice of one. */
function isBehind({ object }: SourcedObject, services: ReadonlySet<string>): boolean {
  if (object.kind === "Service") return services.has(`${object.namespace}/${object.name}`);
  return object.kind === "EndpointSlice" && services.has(`${object.namespace}/${object.serviceName}`);
}
