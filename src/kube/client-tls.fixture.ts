/** A child process under Node: the client against a TLS server of its own. Says what it saw as one line of JSON. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { createKubeClient } from "./client.ts";

const [kubeconfigOf, caFile] = process.argv.slice(2) as [string, string];
const testdata = (name: string) => join(import.meta.dirname, "testdata", name);
const NEVER = new AbortController().signal;
const SERVICES = "/api/v1/services";

const protocols = new Set<string>();
let connections = 0;
let open = 0;
let onClose = () => {};
const server = createSecureServer(
  {
    cert: readFileSync(testdata("server.pem")),
    key: readFileSync(testdata("server-key.pem")),
    allowHTTP1: true,
  },
  (request, response) => {
    protocols.add(`HTTP/${request.httpVersion}`);
    const metadata = { resourceVersion: "7" };
    response.writeHead(200);
    if (!request.url!.includes("watch=true")) response.end(JSON.stringify({ metadata, items: [] }));
    else response.write(`${JSON.stringify({ type: "BOOKMARK", object: { metadata } })}\n`);
  },
);
server.on("secureConnection", (socket: TLSSocket) => {
  connections++;
  open++;
  socket.once("close", () => {
    open--;
    onClose();
  });
});
server.on("tlsClientError", () => undefined);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;

let nowMs = 0;
const clock = { epochMs: () => Date.now(), monotonicMs: () => nowMs };
copyFileSync(testdata("ca.pem"), caFile);
writeFileSync(kubeconfigOf, readFileSync(kubeconfigOf, "utf8").replace("PORT", String(port)));
const client = createKubeClient({ kubeconfig: kubeconfigOf, clock });

async function list(): Promise<string> {
  const result = await client.list(SERVICES, {}, NEVER).catch((error: Error) => error.message);
  return typeof result === "string" ? result : "listed";
}

async function listAfterRotation(ca: string): Promise<string> {
  copyFileSync(testdata(ca), caFile);
  nowMs += 60_000;
  return list();
}

function watch(signal: AbortSignal): { begun: Promise<void>; ended: Promise<string> } {
  const begun = Promise.withResolvers<void>();
  const ended = client.watch(SERVICES, {}, () => begun.resolve(), signal);
  return {
    begun: begun.promise,
    ended: ended.then(
      () => "ended",
      (error: Error) => error.message,
    ),
  };
}

const said: Record<string, unknown> = { first: await list() };
for (let i = 0; i < 20; i++) await list();
nowMs += 60_000;
await list();
said["connectionsOfLists"] = connections;

const watches = Array.from({ length: 3 }, () => watch(NEVER));
await Promise.all(watches.map(({ begun }) => begun));
for (let i = 0; i < 5; i++) await list();
said["connectionsWithWatches"] = connections;

said["underOtherCa"] = await listAfterRotation("other-ca.pem");
said["underFirstCa"] = await listAfterRotation("ca.pem");
said["protocols"] = [...protocols];

await client.close();
said["watches"] = await Promise.all(watches.map(({ ended }) => ended));
server.close();
while (open > 0) await new Promise<void>((resolve) => (onClose = resolve));
said["open"] = open;
// Nothing holds the process any more: that it ends by itself is part of the test.
console.log(JSON.stringify(said));
