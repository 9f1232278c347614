/**
 * A program for `status.test.ts`: the status writer alone, under Node, with the real client. Takes `{ update, proxies, service, objects }` as JSON
 * lines; `objects` are read from the API server as a watch would have shown them. Says `took N`, and each line of the log.
 */
import { createInterface } from "node:readline";
import { createKubeClient } from "../../src/kube/client.ts";
import { systemTimers } from "../../src/ops/timers.ts";
import { refKey } from "../../src/resources/metadata.ts";
import { type Observed, observe } from "../../src/status/observed.ts";
import { objectPath, type StatusRef } from "../../src/status/paths.ts";
import { startStatus } from "../../src/status/status.ts";

const [kubeconfig, identity] = process.argv.slice(2);
const api = createKubeClient({ kubeconfig: kubeconfig! });
const seen = new Map<string, Observed>();
const say = (level: string) => (fields: object, message: string) =>
  console.log(`${level} ${message} ${JSON.stringify(fields)}`);

const status = startStatus({
  api,
  identity: identity!,
  leaseNamespace: "gw",
  leaseName: "gw",
  publish: { type: "service", namespace: "gw", name: "gw" },
  routeState: (ref) => seen.get(refKey(ref)),
  timers: systemTimers,
  random: Math.random,
  epochMs: Date.now,
  log: { info: say("info"), warn: say("warn") } as never,
});

let taken = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const { update, proxies, service, objects } = JSON.parse(line);
  for (const ref of objects as StatusRef[]) {
    seen.set(refKey(ref), observe(await api.get(objectPath(ref), new AbortController().signal)));
  }
  status.publishedService(service);
  status.proxies(proxies);
  status.update(update);
  console.log(`took ${++taken}`);
}
await status.close();
console.log(`report ${JSON.stringify(status.report())}`);
await api.close();
