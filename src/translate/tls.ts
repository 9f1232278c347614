import { certificatePair, isCovered } from "../resources/certificate.ts";
import type { TlsSecret } from "../resources/secret.ts";
import type { ResolvedRefsReason } from "./verdict.ts";

/** A Secret that an object names, and what its certificate should be for. */
export interface CertificateRef {
  /** The object's own. */
  readonly namespace: string;
  readonly name: string;
  /** Wildcards among them; empty for any host, which says nothing about the certificate. */
  readonly hostnames: readonly string[];
}

export type CertificateFinding =
  | {
      readonly type: "found";
      /** Set where it is not for all of the names. */
      readonly notice?: string;
    }
  | { readonly type: "unresolved"; readonly reason: ResolvedRefsReason; readonly message: string };

const MAX_NAMES_TOLD = 3;
const FOUND: CertificateFinding = { type: "found" };

/** Follows references to TLS Secrets. Nothing of what is in them leaves here but the names that a certificate is not for. */
export class CertificateChecks {
  readonly #secrets: ReadonlyMap<string, TlsSecret> | undefined;

  /** `undefined`: they are not read, and every one passes. */
  constructor(secrets: ReadonlyMap<string, TlsSecret> | undefined) {
    this.#secrets = secrets;
  }

  check({ namespace, name, hostnames }: CertificateRef): CertificateFinding {
    if (name.includes("/")) {
      const message = `names "${name}": only Secrets of the object's own namespace can be named`;
      return { type: "unresolved", reason: "RefNotPermitted", message };
    }
    if (this.#secrets === undefined) return FOUND;
    const key = `${namespace}/${name}`;
    const secret = this.#secrets.get(key);
    if (secret === undefined) {
      const message = `names Secret ${key}, which does not exist or is not of type kubernetes.io/tls`;
      return { type: "unresolved", reason: "SecretNotFound", message };
    }
    const pair = certificatePair(secret);
    if (pair.type === "invalid") {
      const message = `names Secret ${key}, which ${pair.message}`;
      return { type: "unresolved", reason: "InvalidCertificate", message };
    }
    const bare = hostnames.filter((hostname) => !isCovered(hostname, pair.names));
    if (bare.length === 0) return FOUND;
    return { type: "found", notice: `the certificate in Secret ${key} is not for ${listed(bare)}` };
  }
}

function listed(names: readonly string[]): string {
  const told = names.slice(0, MAX_NAMES_TOLD).join(", ");
  return names.length > MAX_NAMES_TOLD ? `${told} and ${names.length - MAX_NAMES_TOLD} more` : told;
}
