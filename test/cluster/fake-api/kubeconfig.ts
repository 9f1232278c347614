import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../harness/cleanup.ts";

export interface KubeconfigOptions {
  readonly server: string;
  readonly token?: string;
  /** Read by client-node's own provider, as the service account's is: it does not know a kubeconfig's `tokenFile`. */
  readonly tokenFile?: string;
  /** PEM file of the server's CA. */
  readonly caFile?: string;
}

/** A kubeconfig file, in a folder that `stopAll` removes. JSON is YAML too. */
export function writeKubeconfig({ server, token, tokenFile, caFile }: KubeconfigOptions): string {
  const path = join(temporaryFolder("kubeconfig"), "config");
  const trust =
    caFile === undefined ? { "insecure-skip-tls-verify": true } : { "certificate-authority": caFile };
  const provider =
    tokenFile === undefined ? {} : { "auth-provider": { name: "tokenFile", config: { tokenFile } } };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "fake", cluster: { server, ...trust } }],
    users: [{ name: "tester", user: { token, ...provider } }],
    contexts: [{ name: "fake", context: { cluster: "fake", user: "tester" } }],
    "current-context": "fake",
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}
