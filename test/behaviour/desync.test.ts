/**
 * Proves that a request which was broken off never leaves a connection on which its body could be read as a request: a body that
 * does not come in time, while the answer is still on its way to a slow reader.
 */
import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rawExchange, startGateway, stopAll } from "../harness/index.ts";

const folder = await mkdtemp(join(tmpdir(), "ug-desync-"));
afterAll(async () => {
  await stopAll();
  await rm(folder, { recursive: true });
});

const SMUGGLED = "GET /second HTTP/1.1\r\nHost: x\r\n\r\n";

test("a body timeout behind a whole answer closes the connection", async () => {
  await writeFile(join(folder, "big"), Buffer.alloc(10_000_000, "b"));
  await writeFile(join(folder, "second"), "the second");
  const manifest = {
    apiVersion: "uwsgi-gateway.io/v1alpha1",
    kind: "UwsgiRoute",
    metadata: { name: "files", namespace: "web" },
    spec: { rules: [{ static: { root: folder } }] },
  };
  const manifests = { "site.json": JSON.stringify(manifest) };
  const gateway = await startGateway({ manifests, args: ["--body-timeout", "200ms"] });
  const client = connect({ port: gateway.port, host: "127.0.0.1" });
  client.on("error", () => {});
  client.write(`GET /big HTTP/1.1\r\nHost: x\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n`);
  // The answer has begun, so the timeout runs; a later one of the same length ends a request whose answer was taken.
  await new Promise((resolve) => client.once("readable", resolve));
  const later = "GET /second HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n";
  const { ending } = await rawExchange(gateway.port, later, { until: "close" });
  expect(ending).toBe("closed");
  client.write(SMUGGLED);
  let received = "";
  client.on("data", (bytes: Buffer) => {
    received += bytes.toString("latin1");
  });
  client.resume();
  await new Promise((resolve) => client.once("close", resolve));
  expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200"]);
  expect(received).not.toContain("the second");
});
