/**
 * Proves the CustomResourceDefinition on a real API server: that it is accepted, its rules within the server's budget; that each
 * UwsgiRoute that the repository shows is accepted if and only if the gateway itself reads it; that each mistake is refused with the field
 * and what to do, as the gateway would; and that people see in `kubectl get` what they need.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type ParseResult, parseObject } from "../../src/resources/parse.ts";
import { stopAll } from "../harness/cleanup.ts";
import { exampleRoutes } from "./crd/examples.ts";
import { MISTAKES } from "./crd/mistakes.ts";
import { type ApiAnswer, type ApiServer, CommandError, startApiServer } from "./harness/index.ts";
import { describeCluster } from "./harness/suite.ts";

const START_LIMIT_MS = 60_000;
const DEFINITION = join(import.meta.dirname, "../../charts/uwsgi-gateway/crds/uwsgiroutes.yaml");
const ROUTES = "/apis/uwsgi-gateway.io/v1alpha1/namespaces/default/uwsgiroutes";
const EXAMPLES = exampleRoutes();

/** Golden inputs that the gateway refuses and CEL cannot see: it is not told the object's namespace. */
const UNSEEN = new Set(["src/translate/testdata/invalid.in.yaml: elsewhere"]);

function route(name: string, spec: object): object {
  return { apiVersion: "uwsgi-gateway.io/v1alpha1", kind: "UwsgiRoute", metadata: { name }, spec };
}

function told(answer: ApiAnswer): string[] {
  const causes: { field: string; message: string }[] = answer.body.details?.causes ?? [];
  return causes.map(({ field, message }) => `${field}: ${message}`);
}

function fieldsOf(result: ParseResult): string[] {
  return result.type === "invalid" ? result.problems.map(({ field }) => field) : [];
}

afterAll(stopAll);

describeCluster("the definition of UwsgiRoute", () => {
  let server: ApiServer;

  beforeAll(async () => {
    server = await startApiServer();
    await server.kubectl(["apply", "-f", DEFINITION]);
    await server.kubectl(["wait", "--for=condition=Established", "crd/uwsgiroutes.uwsgi-gateway.io"]);
  }, START_LIMIT_MS);

  /** What the server would say to a new object; nothing is stored. */
  const tried = (object: object) =>
    server.request("POST", `${ROUTES}?dryRun=All&fieldValidation=Strict`, object);

  test("has a schema without faults, for the server's own eyes", async () => {
    const crd = JSON.parse(
      await server.kubectl(["get", "crd", "uwsgiroutes.uwsgi-gateway.io", "-o", "json"]),
    );
    const conditions = crd.status.conditions.map((each: { type: string; status: string }) => [
      each.type,
      each.status,
    ]);
    expect(conditions.sort()).toEqual([
      ["Established", "True"],
      ["NamesAccepted", "True"],
    ]);
  });

  describe("examples", () => {
    test("there are many", () => {
      expect(EXAMPLES.length).toBeGreaterThan(20);
      for (const place of [
        "README.md",
        "docs/configuration.md",
        "deploy/examples",
        "test/demo",
        "src/translate",
      ]) {
        expect(EXAMPLES.some(({ name }) => name.startsWith(place)) ? "" : place).toBe("");
      }
    });

    test.each(EXAMPLES.map(({ name, object }) => [name, object]))("%s", async (name, object) => {
      const { name: called } = object.metadata;
      const read = parseObject(object);
      const answer = await tried({ ...object, metadata: { name: called } });
      const accepted = read.type === "object" || UNSEEN.has(name);
      expect([answer.status < 300, ...(accepted ? told(answer) : [])]).toEqual([accepted]);
    });
  });

  describe("refuses", () => {
    test.each([...MISTAKES])("%s", async (_, { spec, field, message }) => {
      const object = route("mistake", spec);
      const answer = await tried(object);
      expect(answer.status).toBe(422);
      const causes = told(answer).filter((cause) => cause.startsWith(`${field}: `));
      expect(causes.join("\n") || told(answer).join("\n")).toContain(message);
      // The gateway names the same field, or one inside of it (which of two hostnames is the second).
      const named = fieldsOf(parseObject(object));
      expect(named.filter((each) => each.startsWith(field) || field.startsWith(each))).not.toEqual([]);
    });

    test("an unknown field, in kubectl's words", async () => {
      const manifest = JSON.stringify(
        route("unknown", { rules: [{ backendRefs: [{ name: "s", port: 80 }], timeout: "1s" }] }),
      );
      const refused = server.kubectl(["apply", "-f", "-"], { input: manifest });
      expect(await refused.catch((error: CommandError) => error.stderr)).toContain(
        'unknown field "spec.rules[0].timeout"',
      );
    });

    test("a mistake, in kubectl's words", async () => {
      const manifest = JSON.stringify(
        route("bad", { rules: [{ static: { root: "/srv" }, timeouts: { read: "60" } }] }),
      );
      const error = await server
        .kubectl(["apply", "-f", "-"], { input: manifest })
        .catch((error: unknown) => error);
      expect(error).toBeInstanceOf(CommandError);
      const { stderr } = error as CommandError;
      expect(stderr).toContain("spec.rules[0].timeouts: Invalid value");
      expect(stderr).toContain("goes with backendRefs only: remove it from a static rule");
      expect(stderr).toContain(
        'spec.rules[0].timeouts.read: Invalid value: "60": must be a duration such as',
      );
    });
  });

  test("takes params in both spellings, and keeps them", async () => {
    const params = { Host: "$host", TENANT: { value: "$http_x_tenant", ifNotEmpty: true }, EMPTY: "" };
    const stored = await tried(
      route("params", { rules: [{ backendRefs: [{ name: "s", port: 80 }], uwsgi: { params } }] }),
    );
    expect(stored.status).toBe(201);
    expect(stored.body.spec.rules[0].uwsgi.params).toEqual(params);
  });

  test("takes a route as large as the bounds allow, within the budget of its rules", async () => {
    const value = (i: number, j: number) => `/${i}/${j}/${"long-path-element/".repeat(12)}`;
    const rules = Array.from({ length: 100 }, (_, i) => ({
      matches: Array.from({ length: 32 }, (_, j) => ({ path: { value: value(i, j) } })),
      backendRefs: Array.from({ length: 16 }, () => ({ name: "s", port: 80 })),
      timeouts: { connect: "1s", send: "1s", read: "1s" },
    }));
    const hostnames = Array.from({ length: 20 }, (_, i) => `host-${i}.with-a-long-name.example.com`);
    const answer = await tried(route("large", { hostnames, rules }));
    expect([answer.status, ...told(answer)]).toEqual([201]);
    const names = Array.from(
      { length: 128 },
      (_, i) => `host-${i}.${"with-a-long-name.".repeat(13)}example.com`,
    );
    const wide = await tried(route("wide", { hostnames: names, rules: rules.slice(0, 16) }));
    expect([wide.status, ...told(wide)]).toEqual([201]);
  });

  describe("status", () => {
    const at = { lastTransitionTime: "2026-01-01T00:00:00Z", observedGeneration: 1 };
    const condition = (type: string, status: string, message = "well") => ({
      ...{ type, status, reason: "Reason", message },
      ...at,
    });
    const write = (conditions: readonly object[]) =>
      server.request(
        "PATCH",
        `${ROUTES}/seen/status`,
        { status: { observedGeneration: 1, conditions } },
        "application/merge-patch+json",
      );
    const table = async (...words: string[]) => {
      const text = await server.kubectl(["get", "uwr", "seen", ...words]);
      const [head, row] = text
        .trim()
        .split("\n")
        .map((line) => line.trim().split(/\s{2,}/));
      return { head, row };
    };

    beforeAll(async () => {
      const hostnames = ["a.example.com", "*.b.example.com"];
      const spec = { ingressClassName: "uwsgi", hostnames, rules: [{ static: { root: "/srv" } }] };
      await server.apply(`${ROUTES}/seen`, route("seen", spec));
    });

    test("kubectl get shows the hostnames and whether it is ready", async () => {
      const written = await write([condition("Accepted", "True"), condition("Programmed", "True")]);
      expect(written.status).toBe(200);
      const { head, row } = await table();
      expect(head).toEqual(["NAME", "HOSTNAMES", "READY", "AGE"]);
      expect(row?.slice(0, 3)).toEqual(["seen", '["a.example.com","*.b.example.com"]', "True"]);
    });

    test("kubectl get -o wide shows the class, each condition, and what is wrong", async () => {
      await write([
        condition("Accepted", "True"),
        condition("ResolvedRefs", "False", "names Service web/x"),
        condition("Programmed", "True"),
      ]);
      const { head, row } = await table("-o", "wide");
      const wide = ["CLASS", "ACCEPTED", "RESOLVEDREFS", "PROGRAMMED", "MESSAGE"];
      expect(head).toEqual(["NAME", "HOSTNAMES", "READY", "AGE", ...wide]);
      expect(row?.slice(4)).toEqual(["uwsgi", "True", "False", "True", "names Service web/x"]);
    });

    test("has one condition of each type, with all that one must have", async () => {
      const twice = await write([condition("Accepted", "True"), condition("Accepted", "False")]);
      expect(told(twice).join()).toContain("status.conditions[1]: Duplicate value");
      const { reason: _, ...bare } = condition("Accepted", "True");
      expect(told(await write([bare])).join()).toContain("status.conditions[0].reason: Required value");
      const unknown = await write([condition("Accepted", "Maybe")]);
      expect(told(unknown).join()).toContain('status.conditions[0].status: Unsupported value: "Maybe"');
    });

    test("changes the generation with the spec only", async () => {
      const before = (await server.request("GET", `${ROUTES}/seen`)).body;
      await write([condition("Accepted", "Unknown")]);
      const after = (await server.request("GET", `${ROUTES}/seen`)).body;
      expect(after.metadata.generation).toBe(before.metadata.generation);
      expect(after.spec).toEqual(before.spec);
    });
  });

  test("kubectl explain describes a field", async () => {
    const text = await server.kubectl(["explain", "uwsgiroute.spec.rules.timeouts.read"]);
    expect(text).toContain("Between two reads of the response. Default 60s.");
  });
});
