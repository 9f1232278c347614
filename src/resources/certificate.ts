import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { TlsSecret } from "./secret.ts";

/** What a TLS Secret's pair comes to. The private key does not leave this file. */
export type CertificatePair =
  | {
      readonly type: "pair";
      /** The DNS names of the certificate, lower case; wildcards stand for one label. */
      readonly names: ReadonlySet<string>;
    }
  | {
      readonly type: "invalid";
      /** Follows the Secret's name. */
      readonly message: string;
    };

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
/** The Secret object of an unchanged Secret is the same value again. */
const known = new WeakMap<TlsSecret, CertificatePair>();

/**
 * Reads `tls.crt` (the server's certificate first, then those that lead to its issuer) and `tls.key`. Whether it has expired is not
 * looked at: that changes with no event, and this folder has no clock. No message holds anything of the Secret's data.
 */
export function certificatePair(secret: TlsSecret): CertificatePair {
  let pair = known.get(secret);
  if (pair === undefined) {
    pair = readPair(secret);
    known.set(secret, pair);
  }
  return pair;
}

/** RFC 6125: the name itself, or a wildcard in place of its first label. A wildcard host needs that very wildcard. */
export function isCovered(hostname: string, names: ReadonlySet<string>): boolean {
  return names.has(hostname) || names.has(`*${hostname.slice(Math.max(hostname.indexOf("."), 0))}`);
}

function readPair({ data }: TlsSecret): CertificatePair {
  const [certificates, key] = [data.get("tls.crt"), data.get("tls.key")];
  if (!certificates?.length) return invalid("has no tls.crt");
  if (!key?.length) return invalid("has no tls.key");
  const blocks = certificates.toString("latin1").match(PEM_CERTIFICATE) ?? [];
  if (blocks.length === 0) return invalid("has a tls.crt that holds no PEM certificate");
  const chain = blocks.map(readCertificate);
  const broken = chain.indexOf(undefined);
  if (broken >= 0) return invalid(`has a tls.crt whose certificate ${broken + 1} does not parse`);
  const privateKey = readKey(key);
  if (privateKey === undefined)
    return invalid("has a tls.key that does not parse as a PEM private key without passphrase");
  const leaf = chain[0]!;
  if (!leaf.checkPrivateKey(privateKey)) {
    return invalid("has a tls.key that does not belong to the first certificate of tls.crt");
  }
  return { type: "pair", names: dnsNames(leaf) };
}

function invalid(message: string): CertificatePair {
  return { type: "invalid", message };
}

function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    // The library's own words may repeat the data.
    return undefined;
  }
}

function readKey(pem: Buffer): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

/** Clients look at these alone, and not at the subject's common name. Names with a comma come quoted, and are no host names. */
function dnsNames({ subjectAltName }: X509Certificate): ReadonlySet<string> {
  const names = new Set<string>();
  for (const entry of subjectAltName?.split(", ") ?? []) {
    if (entry.startsWith("DNS:")) names.add(entry.slice("DNS:".length).toLowerCase());
  }
  return names;
}
