import type { EndpointSlice } from "../../resources/endpointslice.ts";
import type { Kind } from "../../resources/metadata.ts";
import type { HeldObject } from "./held-object.ts";
import type { KindPath } from "./kinds.ts";

/** What differs from the state that the last call of `onChange` found. */
export interface KubeChange {
  readonly kinds: ReadonlySet<Kind>;
  /** `namespace/name` of the Services whose EndpointSlices changed. */
  readonly services: ReadonlySet<string>;
  /** Nothing but endpoints of `services` changed: no other kind, and no EndpointSlice became invalid or ceased to be. */
  readonly isEndpointsOnly: boolean;
}

/** Gathers differences until somebody takes them. */
export class ChangeLog {
  #kinds = new Set<Kind>();
  #services = new Set<string>();
  #isEndpointsOnly = true;

  note({ kind }: KindPath, before: HeldObject | undefined, after: HeldObject | undefined): void {
    this.#kinds.add(kind);
    if (kind !== "EndpointSlice" || before?.invalid !== after?.invalid) this.#isEndpointsOnly = false;
    if (kind !== "EndpointSlice") return;
    for (const held of [before, after]) {
      const slice = held?.good?.object as EndpointSlice | undefined;
      if (slice !== undefined) this.#services.add(`${slice.namespace}/${slice.serviceName}`);
    }
  }

  /** `undefined` where nothing differs. */
  take(): KubeChange | undefined {
    if (this.#kinds.size === 0) return undefined;
    const change = {
      kinds: this.#kinds,
      services: this.#services,
      isEndpointsOnly: this.#isEndpointsOnly,
    };
    this.#kinds = new Set();
    this.#services = new Set();
    this.#isEndpointsOnly = true;
    return change;
  }
}
