import { inspect } from "node:util";
import { z } from "zod";
import { type Named, namespaced, type RawMetadata } from "./metadata.ts";

/** `Secret` of `v1` with type `kubernetes.io/tls`; others are not read. */
export interface TlsSecret extends Named {
  readonly kind: "Secret";
  readonly data: SecretData;
}

export const TLS_SECRET_TYPE = "kubernetes.io/tls";

// Messages of its own: the usual ones repeat what was given.
const values = z.record(z.string(), z.string("must be a string"), "must be a mapping of strings").nullish();

export const secretSchema = z.object({ type: z.string().nullish(), data: values, stringData: values });

export function parseSecret(metadata: RawMetadata, raw: z.infer<typeof secretSchema>): TlsSecret {
  const values = new Map<string, Buffer>();
  for (const [key, text] of Object.entries(raw.data ?? {})) values.set(key, Buffer.from(text, "base64"));
  for (const [key, text] of Object.entries(raw.stringData ?? {})) values.set(key, Buffer.from(text));
  return { kind: "Secret", ...namespaced(metadata), data: new SecretData(values) };
}

/** Holds a Secret's bytes so that logging or serializing the object around it cannot show them. */
export class SecretData {
  readonly #values: ReadonlyMap<string, Buffer>;

  constructor(values: ReadonlyMap<string, Buffer>) {
    this.#values = values;
  }

  get(key: string): Buffer | undefined {
    return this.#values.get(key);
  }

  equals(other: SecretData): boolean {
    if (this.#values.size !== other.#values.size) return false;
    return [...this.#values].every(([key, value]) => other.#values.get(key)?.equals(value) ?? false);
  }

  toJSON(): string {
    return "[secret]";
  }

  [inspect.custom](): string {
    return "[secret]";
  }
}
