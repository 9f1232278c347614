/** The Kubernetes API as this project uses it: paths, JSON values and one class of errors. `client.ts` implements it. */

/** An object as the API server gives it. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly generation?: number;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface KubeList {
  readonly items: readonly KubeObject[];
  /** To watch from. */
  readonly resourceVersion: string;
}

/** Who takes a list page by page. */
export interface ListPages {
  /** Before the first page, and once more where the server forgot the list midway: then all begins anew. */
  begin(): void;
  page(items: readonly KubeObject[]): void;
}

export type WatchEvent =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: KubeObject }
  /** Only moves the resource version on. */
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string };

/** `collection` and `path` are absolute, such as `/apis/networking.k8s.io/v1/ingresses`. All reject with `KubeError`. */
export interface KubeApi {
  /** Every page of a collection. */
  list(collection: string, query: Query, signal: AbortSignal): Promise<KubeList>;
  /** As `list`, holding one page's raw objects at a time. Resolves with the resource version to watch from. */
  listPages(collection: string, query: Query, pages: ListPages, signal: AbortSignal): Promise<string>;
  /**
   * Events from `query.resourceVersion` on. Resolves when the server ends the watch, which it does now and then, or is silent
   * for so long that it may be gone; rejects on everything else, with status 410 where the version is too old.
   */
  watch(
    collection: string,
    query: Query,
    onEvent: (event: WatchEvent) => void,
    signal: AbortSignal,
    /** Called once the server has let the watch in; the first event may be long to come. */
    onOpen?: () => void,
  ): Promise<void>;
  get(path: string, signal: AbortSignal): Promise<KubeObject>;
  create(collection: string, object: object, signal: AbortSignal): Promise<KubeObject>;
  /** 409 where `metadata.resourceVersion` is not the newest any more. */
  replace(path: string, object: object, signal: AbortSignal): Promise<KubeObject>;
  /** `application/merge-patch+json` (RFC 7386). With a `metadata.resourceVersion` in it, 409 as for `replace`. */
  mergePatch(path: string, patch: object, signal: AbortSignal): Promise<KubeObject>;
}

/** Reason of an answer that makes no sense: not JSON, or not what was asked for. Its status is 0. */
export const UNREADABLE = "Unreadable";

export class KubeError extends Error {
  override name = "KubeError";
  /** HTTP status; 0 where there was no answer (network, TLS, time-out). */
  readonly status: number;
  /** `reason` of the API server's Status object, such as `Conflict`; `UNREADABLE`; `""` where there is none. */
  readonly reason: string;
  /** What the server's Retry-After asked for. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}
