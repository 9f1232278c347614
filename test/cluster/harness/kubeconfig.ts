/** Kubeconfig files, written as JSON (which is YAML). */
import { writeFileSync } from "node:fs";
import type { CertificateFiles } from "./certificates.ts";

export type Credentials = { readonly client: CertificateFiles } | { readonly token: string };

export function writeKubeconfig(path: string, url: string, caFile: string, credentials: Credentials): string {
  const user =
    "token" in credentials
      ? { token: credentials.token }
      : {
          "client-certificate": credentials.client.certificate,
          "client-key": credentials.client.key,
        };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    clusters: [{ name: "test", cluster: { server: url, "certificate-authority": caFile } }],
    users: [{ name: "test", user }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test", namespace: "default" } }],
  };
  // Credentials: for this user's eyes only.
  writeFileSync(path, JSON.stringify(config, null, 2), { mode: 0o600 });
  return path;
}
