import type { Forwarding } from "../resources/forwarding.ts";
import type { ForwardSettings } from "../snapshot/snapshot.ts";

/** The distinct forwarding settings, each once, in the order of their first use. */
export class SettingsTable {
  readonly list: ForwardSettings[] = [];
  readonly #byValue = new Map<string, number>();
  /** Most rules share the one default value, or are seen again for another host. */
  readonly #byIdentity = new Map<Forwarding, number>();

  /** The index that a rule names it by. */
  intern(forwarding: Forwarding): number {
    const known = this.#byIdentity.get(forwarding);
    if (known !== undefined) return known;
    const { settings, key } = compiled(forwarding);
    let index = this.#byValue.get(key);
    if (index === undefined) {
      index = this.list.push(settings) - 1;
      this.#byValue.set(key, index);
    }
    this.#byIdentity.set(forwarding, index);
    return index;
  }
}

interface Compiled {
  readonly settings: ForwardSettings;
  /** Equal for equal settings. */
  readonly key: string;
}

/** Kept from one run to the next: an object that did not change brings the same value again. */
const known = new WeakMap<Forwarding, Compiled>();

function compiled(forwarding: Forwarding): Compiled {
  let found = known.get(forwarding);
  if (found === undefined) {
    found = { settings: forwardSettings(forwarding), key: JSON.stringify(forwarding) };
    known.set(forwarding, found);
  }
  return found;
}

function forwardSettings(forwarding: Forwarding): ForwardSettings {
  return {
    uwsgi: {
      modifier1: forwarding.modifier1,
      modifier2: forwarding.modifier2,
      scriptName: forwarding.scriptName,
      documentRoot: forwarding.documentRoot,
      mergeSlashes: forwarding.mergeSlashes,
      bufferSizeBytes: forwarding.bufferSizeBytes,
      maxVars: forwarding.maxVars,
      params: forwarding.params,
    },
    loadBalancing: forwarding.loadBalancing,
    requestBuffering: forwarding.requestBuffering,
    responseBuffering: forwarding.responseBuffering,
    maxBodyBytes: forwarding.maxBodyBytes,
    connectTimeoutMs: forwarding.connectTimeoutMs,
    sendTimeoutMs: forwarding.sendTimeoutMs,
    readTimeoutMs: forwarding.readTimeoutMs,
    retry: {
      maxTries: forwarding.maxTries,
      withinMs: forwarding.retryWithinMs,
      onStatus: forwarding.retryStatuses,
      nonIdempotent: forwarding.retryNonIdempotent,
    },
    maxFails: forwarding.maxFails,
    failTimeoutMs: forwarding.failTimeoutMs,
    ignoreClientAbort: forwarding.ignoreClientAbort,
  };
}
