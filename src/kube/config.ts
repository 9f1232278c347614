import { type Cluster, KubeConfig } from "@kubernetes/client-node";
import { describeFailure } from "./failure.ts";

/** No usable configuration: who reads it has to mend it. */
export class KubeConfigError extends Error {
  override name = "KubeConfigError";
}

/**
 * The file, if one is given; else what `kubectl` would use: `$KUBECONFIG`, `~/.kube/config`, or the service account of the
 * pod. Throws `KubeConfigError`.
 */
export function loadKubeConfig(file: string | undefined): KubeConfig {
  const config = new KubeConfig();
  try {
    if (file === undefined) config.loadFromDefault();
    else config.loadFromFile(file);
  } catch (error) {
    // The parser's own message may quote the file, tokens too.
    throw new KubeConfigError(`${file ?? "the kubeconfig"} cannot be read: ${describeFailure(error)}`);
  }
  check(config.getCurrentCluster(), file, config);
  return config;
}

function check(cluster: Cluster | null, file: string | undefined, config: KubeConfig): void {
  if (cluster === null || !cluster.server) {
    throw new KubeConfigError(`${file ?? "the kubeconfig"} names no cluster in its current context`);
  }
  if (cluster.server === FALLBACK_SERVER && file === undefined && config.getCurrentUser()?.name === "user") {
    throw new KubeConfigError("not in a cluster, and no kubeconfig: give --kubeconfig or set KUBECONFIG");
  }
  if (!URL.canParse(cluster.server)) throw new KubeConfigError(`server: not a URL: ${cluster.server}`);
  if (cluster.server.startsWith("http:") && !cluster.skipTLSVerify) {
    const message =
      "would send its credentials in clear; set insecure-skip-tls-verify: true if that is meant";
    throw new KubeConfigError(`server ${cluster.server} ${message}`);
  }
}

/** What `loadFromDefault` makes up where it finds nothing. */
const FALLBACK_SERVER = "http://localhost:8080";
