/** Proves of the fake API server what other suites build on and do not see themselves: selectors, patches, generations, conflicts. */
import { describe, expect, test } from "bun:test";
import { mergePatch } from "./merge-patch.ts";
import { readTarget, SERVED } from "./resources.ts";
import { readSelectors, SelectorError } from "./selectors.ts";
import { type StatusError, Store, type StoredObject } from "./store.ts";

const ROUTES = "/apis/uwsgi-gateway.io/v1alpha1/namespaces/web/uwsgiroutes";

function target(path: string) {
  return readTarget(path, SERVED)!;
}

describe("paths", () => {
  test("are taken apart", () => {
    const { resource, ...rest } = target(`${ROUTES}/r/status`);
    expect([resource.kind, rest]).toEqual(["UwsgiRoute", { namespace: "web", name: "r", isStatus: true }]);
    expect(target("/api/v1/services")).toMatchObject({ namespace: "", name: "", isStatus: false });
    expect(target("/apis/networking.k8s.io/v1/ingressclasses/c")).toMatchObject({ namespace: "", name: "c" });
  });

  for (const path of [
    "/",
    "/api/v1/pods",
    "/apis/v1/services",
    "/api/v1/services/a",
    "/api/v1/namespaces/w/secrets/s/status",
  ]) {
    test(`${path} is none`, () => {
      expect(readTarget(path, SERVED)).toBeUndefined();
    });
  }
});

describe("selectors", () => {
  const object = (labels: Record<string, string>) =>
    ({ type: "t", metadata: { name: "a", namespace: "web", labels } }) as unknown as StoredObject;

  test("of labels", () => {
    const selected = (selector: string) => readSelectors(selector, null)(object({ x: "1", "a.b/c": "2" }));
    for (const yes of ["x", "x=1", "x==1", "x!=2", "!y", "y!=1", "a.b/c=2,x", ""])
      expect(selected(yes)).toBe(true);
    for (const no of ["y", "x=2", "x!=1", "!x", "x,y"]) expect(selected(no)).toBe(false);
    expect(() => selected("x in (1, 2)")).toThrow(SelectorError);
  });

  test("of fields", () => {
    const selected = (selector: string) => readSelectors(null, selector)(object({}));
    for (const yes of ["metadata.name=a", "type=t,metadata.namespace=web"]) expect(selected(yes)).toBe(true);
    for (const no of ["metadata.name=b", "type=t,metadata.name=b"]) expect(selected(no)).toBe(false);
    expect(() => selected("spec.x=1")).toThrow(SelectorError);
  });
});

/** The cases of RFC 7386, appendix A. */
describe("a merge patch", () => {
  for (const [before, patch, after] of [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [["a", "b"], ["c"], ["c"]],
    [{ a: "foo" }, null, null],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]) {
    test(`${JSON.stringify(patch)} on ${JSON.stringify(before)}`, () => {
      expect(mergePatch(before, patch)).toEqual(after);
    });
  }
});

describe("the store", () => {
  const raw = (spec: object, more: object = {}) => ({ metadata: { name: "r", ...more }, spec });

  function started() {
    const store = new Store(3);
    const first = store.create(target(ROUTES), raw({ a: 1 }));
    const write = (spec: object, more: object = {}) =>
      store.replace(
        target(`${ROUTES}/r`),
        raw(spec, { resourceVersion: store.get(target(`${ROUTES}/r`)).metadata.resourceVersion, ...more }),
      );
    return { store, first, write };
  }

  test("counts the generation by the spec alone, and nothing where nothing changes", () => {
    const { store, first, write } = started();
    expect(first.metadata.generation).toBe(1);
    expect(write({ a: 1 }).metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    expect(write({ a: 1 }, { labels: { x: "1" } }).metadata.generation).toBe(1);
    store.patch(target(`${ROUTES}/r/status`), { status: { x: 1 }, spec: { a: 9 } });
    const last = write({ a: 2 });
    expect(last.metadata.generation).toBe(2);
    expect([last["spec"], last["status"], last.metadata.uid]).toEqual([
      { a: 2 },
      { x: 1 },
      first.metadata.uid,
    ]);
  });

  test("refuses what was changed meanwhile, and a replacement that does not say of what", () => {
    const { store, first, write } = started();
    write({ a: 2 });
    const code = (act: () => void) => {
      try {
        act();
        return 0;
      } catch (error) {
        return (error as StatusError).code;
      }
    };
    const { resourceVersion } = first.metadata;
    expect(code(() => write({ a: 3 }, { resourceVersion }))).toBe(409);
    expect(code(() => store.patch(target(`${ROUTES}/r`), { metadata: { resourceVersion } }))).toBe(409);
    expect(code(() => store.replace(target(`${ROUTES}/r`), raw({})))).toBe(422);
    expect(code(() => store.create(target(ROUTES), raw({})))).toBe(409);
    expect(code(() => store.delete(target(`${ROUTES}/other`)))).toBe(404);
  });

  test("remembers as many events as it may", () => {
    const { store, first, write } = started();
    const version = Number(first.metadata.resourceVersion);
    expect(store.since(version)).toEqual([]);
    for (const a of [2, 3, 4]) write({ a });
    expect(store.since(version)?.length).toBe(3);
    write({ a: 5 });
    expect(store.since(version)).toBeUndefined();
    store.compact();
    expect(store.since(store.version)).toEqual([]);
    expect(store.since(store.version - 1)).toBeUndefined();
  });
});
