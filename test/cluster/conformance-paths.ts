/** What the Kubernetes documentation of Ingress says of paths, as cases for `conformance.test.ts`. */
import type { IngressPath } from "./harness/web-cluster.ts";

export const exact = (path: string, service: string): IngressPath => ({ path, pathType: "Exact", service });
export const prefix = (path: string, service: string): IngressPath => ({ path, pathType: "Prefix", service });

/** The table of the Kubernetes documentation of Ingress: paths, a request, and the Service; none: 404. */
const PATH_TABLE: readonly [IngressPath[], string, string | undefined][] = [
  [[prefix("/", "one")], "/", "one"],
  [[prefix("/", "one")], "/any/path", "one"],
  [[exact("/foo", "one")], "/foo", "one"],
  [[exact("/foo", "one")], "/bar", undefined],
  [[exact("/foo", "one")], "/foo/", undefined],
  [[exact("/foo/", "one")], "/foo", undefined],
  [[exact("/foo/", "one")], "/foo/", "one"],
  [[prefix("/foo", "one")], "/foo", "one"],
  [[prefix("/foo", "one")], "/foo/", "one"],
  [[prefix("/foo/", "one")], "/foo", "one"],
  [[prefix("/foo/", "one")], "/foo/", "one"],
  [[prefix("/aaa/bb", "one")], "/aaa/bbb", undefined],
  [[prefix("/aaa/bbb", "one")], "/aaa/bbb", "one"],
  [[prefix("/aaa/bbb/", "one")], "/aaa/bbb", "one"],
  [[prefix("/aaa/bbb", "one")], "/aaa/bbb/", "one"],
  [[prefix("/aaa/bbb", "one")], "/aaa/bbb/ccc", "one"],
  [[prefix("/aaa/bbb", "one")], "/aaa/bbbxyz", undefined],
  [[prefix("/", "one"), prefix("/aaa", "two")], "/aaa/ccc", "two"],
  [[prefix("/", "one"), prefix("/aaa", "two"), prefix("/aaa/bbb", "three")], "/aaa/bbb", "three"],
  [[prefix("/", "one"), prefix("/aaa", "two"), prefix("/aaa/bbb", "three")], "/ccc", "one"],
  [[prefix("/aaa", "one")], "/ccc", undefined],
  [[prefix("/foo", "one"), exact("/foo", "two")], "/foo", "two"],
  // Beyond that table: what its text says.
  [[prefix("/foo", "one"), exact("/foo", "two")], "/foo/", "one"],
  [[prefix("/aaa/bbb", "three"), prefix("/aaa", "two"), prefix("/", "one")], "/aaa/bbb/ccc", "three"],
  [[prefix("/foo", "one")], "/FOO", undefined],
  [[exact("/foo", "one")], "/FOO", undefined],
  [[prefix("/foo", "one")], "/foo?bar=/baz", "one"],
  [[exact("/foo", "one")], "/foo?bar=/baz", "one"],
  [[{ path: "/foo", pathType: "ImplementationSpecific", service: "one" }], "/foo/bar", "one"],
  [[{ path: "/foo", pathType: "ImplementationSpecific", service: "one" }], "/foobar", undefined],
  [[{ pathType: "ImplementationSpecific", service: "one" }], "/any/path", "one"],
];

export interface PathCase {
  readonly text: string;
  /** Of its own Ingress. */
  readonly host: string;
  readonly paths: readonly IngressPath[];
  readonly request: string;
  /** The Service that gets the request, or `nothing`. */
  readonly service: string;
}

export const PATH_CASES: readonly PathCase[] = PATH_TABLE.map(([paths, request, service = "nothing"], i) => {
  const text = paths.map((each) => `${each.pathType} ${each.path ?? "(none)"} -> ${each.service}`).join(", ");
  return { text, host: `path-${i}.test`, paths, request, service };
});
