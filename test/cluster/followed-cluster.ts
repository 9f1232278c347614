/** A fake API server and a source that follows it. `stopAll` stops both. */
import { createKubeClient } from "../../src/kube/client.ts";
import type { Resource } from "../../src/resources/parse.ts";
import type { KubeChange } from "../../src/sources/kube/change.ts";
import { type KubeSource, type KubeSourceOptions, startKubeSource } from "../../src/sources/kube/source.ts";
import { CONTROLLER_NAME, type TranslateOptions } from "../../src/translate/options.ts";
import { onStopAll } from "../harness/cleanup.ts";
import { writeKubeconfig } from "./fake-api/kubeconfig.ts";
import { type FakeApi, startFakeApi } from "./fake-api/server.ts";

const OPTIONS: TranslateOptions = {
  controllerName: CONTROLLER_NAME,
  socketBackends: false,
  allowUwsgiScript: false,
};

export class FollowedCluster {
  readonly api: FakeApi;
  readonly changes: KubeChange[] = [];
  source!: KubeSource;
  #wake = () => {};

  constructor(api: FakeApi) {
    this.api = api;
  }

  follow(options: Partial<KubeSourceOptions> = {}): this {
    const client = createKubeClient({ kubeconfig: writeKubeconfig({ server: this.api.url }) });
    const onChange = (change: KubeChange) => {
      this.changes.push(change);
      this.#wake();
    };
    const given = {
      api: client,
      namespaces: "all" as const,
      translateOptions: OPTIONS,
      onChange,
      ...options,
    };
    this.source = startKubeSource(given);
    onStopAll(() => client.close());
    onStopAll(() => this.source.stop());
    return this;
  }

  /** Resolves once a change makes it so. */
  async until(passes: () => boolean): Promise<void> {
    while (!passes()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  /** Does something, and resolves with the one change that comes of it. */
  async change(act: () => void): Promise<KubeChange> {
    const count = this.changes.length;
    act();
    await this.until(() => this.changes.length > count);
    return this.changes.at(-1)!;
  }

  get<K extends Resource["kind"]>(kind: K, name: string): Extract<Resource, { kind: K }> | undefined {
    const found = this.source.objects.objects.find(
      ({ object }) => object.kind === kind && object.name === name,
    );
    return found?.object as Extract<Resource, { kind: K }> | undefined;
  }

  get names(): string[] {
    return this.source.objects.objects
      .map(({ object }) => `${object.kind} ${object.namespace}/${object.name}`)
      .sort();
  }

  /** Every watch of the source is open. */
  async watching(count = 5): Promise<void> {
    await this.api.until(() => this.api.watches().length === count);
  }
}

/** With the IngressClass `uwsgi`, which is ours. */
export async function startCluster(): Promise<FollowedCluster> {
  const api = await startFakeApi();
  onStopAll(() => api.stop());
  api.apply({
    apiVersion: "networking.k8s.io/v1",
    kind: "IngressClass",
    metadata: { name: "uwsgi" },
    spec: { controller: CONTROLLER_NAME },
  });
  return new FollowedCluster(api);
}
