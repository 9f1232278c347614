/**
 * The contract between the control side and the proxy: one immutable value that says everything about
 * what to serve. It is complete (every default is filled in), plain JSON, and its lists are ordered by their key
 * (`hostname`, `id`), by code unit, so that equal content is equal text. Only the order of a host's rules means something. Nothing in it is executable, and nothing in it is secret.
 */

/** Bumped when the shape changes in a way that an older proxy must refuse. */
export const SNAPSHOT_FORMAT = 2;

export interface Snapshot {
  readonly format: typeof SNAPSHOT_FORMAT;
  /** Hash over everything else: two snapshots with one version behave alike. */
  readonly version: string;
  readonly hosts: readonly HostEntry[];
  /** Forwarding settings, each distinct value once: rules name them by id, since thousands of rules share a handful. */
  readonly settings: readonly ForwardSettings[];
  readonly upstreams: readonly Upstream[];
}

export interface HostEntry {
  /** Lower case, no port, no trailing dot. `"shop.example.com"`, `"*.example.com"`, or `""` for any host. */
  readonly hostname: string;
  /** No two rules of an entry share path type, value and `wildcardDepth`; for equal paths, the earlier rule wins. */
  readonly rules: readonly Rule[];
}

export interface Rule {
  /** Stable name for logs, metrics and `/routes`: `UwsgiRoute/web/myapp/0` or `Ingress/web/shop/0`. */
  readonly id: string;
  readonly path: PathMatch;
  /**
   * How many labels a wildcard host stands for: exactly one (Ingress) or one and more (UwsgiRoute, as in the
   * Gateway API). `"any"` also on hosts that are not wildcards, where it has no effect.
   */
  readonly wildcardDepth: "one" | "any";
  /** SERVER_NAME: the first hostname of the object, or `""` for "the request's own Host". */
  readonly serverName: string;
  readonly action: ForwardAction | StaticAction;
}

/**
 * Matched against the decoded, normalized path.
 * - `exact`: byte for byte.
 * - `prefix`: by path elements: `/foo` matches `/foo`, `/foo/` and `/foo/bar`, never `/foobar`. The value has no
 *   trailing slash, so `""` matches everything.
 */
export interface PathMatch {
  readonly type: "exact" | "prefix";
  readonly value: string;
}

export interface ForwardAction {
  readonly type: "forward";
  /** `ForwardSettings.id`. */
  readonly settings: string;
  /** Traffic is split by weight, whatever the number of endpoints behind each. Empty: 503. */
  readonly backends: readonly WeightedBackend[];
}

export interface WeightedBackend {
  /** `Upstream.id`. */
  readonly upstream: string;
  /** 0 to 1,000,000; 0 takes no traffic. */
  readonly weight: number;
}

export interface StaticAction {
  readonly type: "static";
  /** Absolute path of the folder on the proxy's file system. */
  readonly root: string;
  /** Taken off the front of the path before the file is looked up; `""` for none. No trailing slash. */
  readonly stripPrefix: string;
  /** File names tried for a path that names a folder, in order. */
  readonly index: readonly string[];
  /** Serve files and folders whose name starts with a dot. */
  readonly dotFiles: boolean;
}

export interface Upstream {
  /** `web/django:29000` for a Service port, or the socket's address. */
  readonly id: string;
  readonly endpoints: readonly Endpoint[];
}

export interface Endpoint {
  /** `unix:/path`, `10.0.0.1:29000` or `[fd00::1]:29000`. State (in flight, failures) is keyed by it. */
  readonly address: string;
}

export interface ForwardSettings {
  /** Follows the content: two ids are equal where all else is. */
  readonly id: string;
  readonly uwsgi: UwsgiSettings;
  readonly loadBalancing: "RoundRobin" | "LeastOutstanding";
  /** Read the whole request before an endpoint is contacted. */
  readonly requestBuffering: boolean;
  /** Take the response off the worker's hands as fast as it comes, however slow the client is. */
  readonly responseBuffering: boolean;
  /** 413 above it. 0: unlimited. */
  readonly maxBodyBytes: number;
  readonly connectTimeoutMs: number;
  /** Between two successful writes. */
  readonly sendTimeoutMs: number;
  /** Between two successful reads. */
  readonly readTimeoutMs: number;
  readonly retry: RetrySettings;
  /** Failures within `failTimeoutMs` that take an endpoint out for `failTimeoutMs`. 0: never. */
  readonly maxFails: number;
  readonly failTimeoutMs: number;
  /** Let the app finish when the client has gone. */
  readonly ignoreClientAbort: boolean;
}

export interface RetrySettings {
  /** Endpoints tried for one request, the first included. 1: no retry. */
  readonly maxTries: number;
  /** No new try is begun after this much time. 0: no bound but `maxTries`. */
  readonly withinMs: number;
  /** Statuses that send a request on to the next endpoint. Of 403, 404, 429, 500, 502, 503, 504. */
  readonly onStatus: readonly number[];
  /** Also repeat methods that are not idempotent once bytes were sent (POST, PATCH, LOCK and unknown ones). */
  readonly nonIdempotent: boolean;
}

export interface UwsgiSettings {
  readonly modifier1: number;
  readonly modifier2: number;
  /** SCRIPT_NAME; taken off the front of PATH_INFO. `""` for none, else starts with a slash, ends without. */
  readonly scriptName: string;
  /** DOCUMENT_ROOT. */
  readonly documentRoot: string;
  readonly mergeSlashes: boolean;
  /** uWSGI's `--buffer-size` and `--max-vars` behind this backend. */
  readonly bufferSizeBytes: number;
  readonly maxVars: number;
  readonly params: readonly UwsgiParam[];
}

export interface UwsgiParam {
  readonly name: string;
  /** Literals and `$variables` (`${name}` where letters follow). */
  readonly value: string;
  /** Leave the var out when the value comes to nothing. */
  readonly ifNotEmpty: boolean;
}
