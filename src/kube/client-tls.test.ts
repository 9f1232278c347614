/**
 * Proves under Node, over TLS, what Bun cannot show: the cluster's CA counts, also after its file changes; connections are used again
 * and each watch has one of its own; and nothing is left open after `close`.
 */
import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { writeKubeconfig } from "../../test/cluster/fake-api/kubeconfig.ts";
import { stopAll, temporaryFolder } from "../../test/harness/cleanup.ts";
import { startProcess } from "../../test/harness/processes.ts";

afterAll(stopAll);

test("the client over TLS", async () => {
  const caFile = join(temporaryFolder("ca"), "ca.pem");
  const kubeconfig = writeKubeconfig({ server: "https://127.0.0.1:PORT/", token: "t", caFile });
  const node = join(import.meta.dirname, "..", "..", "node_modules", ".bin", "node");
  const script = join(import.meta.dirname, "client-tls.fixture.ts");
  const child = startProcess({ name: "client over TLS", command: [node, script, kubeconfig, caFile] });
  const line = await child.waitForLine(/^\{/, 20_000);
  const said = JSON.parse(line) as Record<string, unknown>;
  expect(said).toMatchObject({
    first: "listed",
    underFirstCa: "listed",
    protocols: ["HTTP/1.1"],
    open: 0,
  });
  // 22 requests: undici opens a second connection where one follows the other at once, and then goes on with these two.
  expect(said["connectionsOfLists"]).toBeLessThanOrEqual(2);
  expect(said["connectionsWithWatches"]).toBeLessThanOrEqual(5);
  expect(said["underOtherCa"]).toMatch(/^GET \/api\/v1\/services: .*(certificate|CERT|SIGNATURE)/);
  expect(said["watches"]).toEqual(Array(3).fill("GET /api/v1/services: given up"));
  expect(await child.exited).toEqual({ code: 0, signal: null });
});
