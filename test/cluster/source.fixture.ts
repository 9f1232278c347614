/**
 * A program for `source.test.ts`: the source alone, under Node, with the real client. Says as JSON lines what it holds: once in sync, after each
 * change, and on a line of input; ends with its input.
 */
import { createInterface } from "node:readline";
import { createKubeClient } from "../../src/kube/client.ts";
import { refText } from "../../src/resources/metadata.ts";
import type { KubeChange } from "../../src/sources/kube/change.ts";
import { startKubeSource } from "../../src/sources/kube/source.ts";
import { CONTROLLER_NAME } from "../../src/translate/options.ts";

const api = createKubeClient({ kubeconfig: process.argv[2]! });
const source = startKubeSource({
  api,
  namespaces: "all",
  translateOptions: { controllerName: CONTROLLER_NAME, socketBackends: false, allowUwsgiScript: false },
  onChange: say,
});

function say(change?: KubeChange): void {
  const { objects, invalid } = source.objects;
  const told = change && { ...change, kinds: [...change.kinds], services: [...change.services] };
  console.log(
    JSON.stringify({
      change: told,
      synced: source.isSynced,
      objects: objects.map(({ object }) => refText(object)).sort(),
      invalid: invalid.map(({ ref }) => refText(ref)),
      route: source.routeState({ kind: "UwsgiRoute", namespace: "web", name: "app" }),
      kinds: source.state.kinds,
    }),
  );
}

void source.synced.then(() => say());
for await (const _ of createInterface({ input: process.stdin })) say();
await source.stop();
await api.close();
console.log("stopped");
