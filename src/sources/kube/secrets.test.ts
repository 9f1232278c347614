/**
 * Proves over real HTTP that of all Secrets only those are read that a route of ours names, each by its name, for as long as it is
 * named; that they are bounded in number; and that one which cannot be read holds up nothing else.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { ingress, route, secret, service } from "../../../test/cluster/fake-api/objects.ts";
import { startCluster } from "../../../test/cluster/followed-cluster.ts";
import { stopAll } from "../../../test/harness/cleanup.ts";

afterEach(stopAll);

describe("Secrets", () => {
  const TLS = { tls: { secretName: "cert" } };

  test("that a route names are read before the first state is there, and followed by name", async () => {
    const c = await startCluster();
    for (const raw of [secret("cert"), secret("cert-2"), route("r", TLS)]) c.api.apply(raw);
    c.api.apply(ingress("i", { tls: [{ hosts: ["a.example"], secretName: "cert-2" }] }));
    c.api.apply(ingress("foreign", { ingressClassName: "nginx", tls: [{ secretName: "theirs" }] }));
    c.api.apply(
      ingress("sly", { tls: [{ secretName: "x,type!=kubernetes.io/tls" }, { secretName: "other/x" }] }),
    );
    await c.follow().source.synced;
    expect(c.names.filter((name) => name.startsWith("Secret"))).toEqual([
      "Secret web/cert",
      "Secret web/cert-2",
    ]);
    await c.watching(7);
    const selectors = new Set(c.api.logged({ plural: "secrets" }).map(({ query }) => query["fieldSelector"]));
    expect([...selectors].sort()).toEqual([
      "metadata.name=cert,type=kubernetes.io/tls",
      "metadata.name=cert-2,type=kubernetes.io/tls",
    ]);
    const change = await c.change(() => c.api.apply(secret("cert", "BBBB")));
    expect(change.kinds).toEqual(new Set(["Secret"]));
    expect(c.get("Secret", "cert")?.data.get("tls.crt")).toEqual(Buffer.from("BBBB", "base64"));
    const before = c.get("Secret", "cert");
    c.api.apply(secret("cert", "BBBB", { annotations: { renewed: "1" } }));
    await c.change(() => c.api.apply(service("last")));
    expect(c.get("Secret", "cert")).toBe(before!);
  });

  test("begin and cease to be followed as routes come and go", async () => {
    const c = await startCluster();
    c.api.apply(secret("cert"));
    await c.follow().source.synced;
    c.api.apply(route("r", TLS));
    await c.until(() => c.get("Secret", "cert") !== undefined);
    await c.watching(6);
    c.api.remove(route("r"));
    await c.until(() => c.get("Secret", "cert") === undefined);
    await c.watching(5);
    expect(c.source.state.kinds.find(({ kind }) => kind === "Secret")).toMatchObject({
      reflectors: 0,
      objects: 0,
    });
  });

  test("that are missing, or of another type, appear when they come", async () => {
    const c = await startCluster();
    c.api.apply(route("r", TLS));
    c.api.apply({ ...secret("cert"), type: "Opaque" });
    await c.follow().source.synced;
    expect(c.get("Secret", "cert")).toBeUndefined();
    c.api.remove(secret("cert"));
    await c.change(() => c.api.apply(secret("cert")));
    expect(c.get("Secret", "cert")?.name).toBe("cert");
  });

  test("that may not be read do not hold up the rest, and are reported", async () => {
    const c = await startCluster();
    c.api.apply(route("r", TLS));
    c.api.fault({ plural: "secrets" }, { type: "status", status: 403, reason: "Forbidden" }, 100);
    await c.follow().source.synced;
    expect(c.source.isSynced).toBe(true);
    expect(c.source.state.kinds.find(({ kind }) => kind === "Secret")).toMatchObject({
      synced: false,
      lastError: { status: 403 },
    });
  });

  test("are bounded in number, and the rest is counted", async () => {
    const c = await startCluster();
    for (let i = 0; i < 4; i++) {
      c.api.apply(route(`r${i}`, { tls: { secretName: `cert-${i}` } }));
      c.api.apply(secret(`cert-${i}`));
    }
    await c.follow({ maxSecrets: 3 }).source.synced;
    expect(c.source.state.skippedSecrets).toBe(1);
    const isRead = (name: string) => c.get("Secret", name) !== undefined;
    const read = [0, 1, 2, 3].filter((i) => isRead(`cert-${i}`));
    expect(read.length).toBe(3);
    const skipped = [0, 1, 2, 3].find((i) => !read.includes(i))!;
    c.api.remove(route(`r${read[0]}`));
    await c.until(() => isRead(`cert-${skipped}`));
    expect(c.source.state.skippedSecrets).toBe(0);
  });
});
