import type { Forwarding } from "../resources/forwarding.ts";
import type { ForwardSettings } from "../snapshot/snapshot.ts";
import { contentDigest } from "../snapshot/version.ts";

/** The distinct forwarding settings in use. */
export class SettingsTable {
  readonly #byId = new Map<string, ForwardSettings>();

  /** The id that a rule names it by. */
  intern(forwarding: Forwarding): string {
    const settings = compiled(forwarding);
    if (!this.#byId.has(settings.id)) this.#byId.set(settings.id, settings);
    return settings.id;
  }

  values(): Iterable<ForwardSettings> {
    return this.#byId.values();
  }
}

/** Kept from one run to the next: an object that did not change brings the same value again. */
const known = new WeakMap<Forwarding, ForwardSettings>();

function compiled(forwarding: Forwarding): ForwardSettings {
  let found = known.get(forwarding);
  if (found === undefined) {
    const content = forwardSettings(forwarding);
    found = { id: contentDigest(content).slice(0, 16), ...content };
    known.set(forwarding, found);
  }
  return found;
}

function forwardSettings(forwarding: Forwarding): Omit<ForwardSettings, "id"> {
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
