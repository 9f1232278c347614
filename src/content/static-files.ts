/** Files under a folder, over HTTP: the door to this folder. What it does for users: docs/static-files.md. */
import type { StaticAction } from "../snapshot/snapshot.ts";
import { chooseEncoding, type EncodingWeights, PLAIN_ONLY, parseAcceptEncoding } from "./accept-encoding.ts";
import { type ByteRange, parseByteRanges } from "./byte-ranges.ts";
import { openUnchanged } from "./contained-file.ts";
import { type ContentResponse, fileResponse, memoryResponse, textResponse } from "./content-response.ts";
import { type Entry, FileCache, type FileCacheBounds, type Site } from "./file-cache.ts";
import { isUnchanged, type LookupBounds, type LookupFailure, lookUp } from "./file-lookup.ts";
import { detached, encodePath, encodeQuery } from "./file-path.ts";
import { evaluateConditions, rangeApplies } from "./preconditions.ts";
import { buildPartial, type Representation } from "./representation.ts";

export type { BodyPart, ContentResponse } from "./content-response.ts";

export interface StaticRequest {
  readonly method: string;
  /** Decoded and normalized, as a binary string: one character per byte. Begins with a slash; no dot segments, no NUL. */
  readonly path: string;
  /** As it came: `""`, or from the question mark on. */
  readonly query: string;
  /** Is any If-* or Range field there? When false, they are not looked for. */
  readonly conditional: boolean;
  /** Value of a field by its lower-case name. */
  field(lowerCaseName: string): string | undefined;
}

export interface StaticFilesOptions extends FileCacheBounds, LookupBounds {
  /** What is remembered is used this long before the file system is asked again, where no watch tells sooner. */
  readonly recheckAfterMs: number;
  /** Ranges in one request; with more, the whole file is sent. */
  readonly maxRanges: number;
  /** Milliseconds on any clock that does not go back. */
  now(): number;
}

export const STATIC_FILES_DEFAULTS: Omit<StaticFilesOptions, "now"> = {
  maxCachedFileBytes: 64 * 1024,
  maxCacheBytes: 16 * 1024 * 1024,
  maxCacheEntries: 4096,
  maxWatches: 256,
  recheckAfterMs: 1000,
  maxRanges: 16,
};

/** Distinct Accept-Encoding values whose reading is remembered; browsers send a handful. */
const MAX_REMEMBERED_ENCODINGS = 64;

/** A file that is replaced between look-up and opening is looked up again, this often. */
const MAX_ATTEMPTS = 3;

export class StaticFiles {
  readonly #options: StaticFilesOptions;
  readonly #cache: FileCache;
  readonly #sites = new WeakMap<StaticAction, Site>();
  readonly #encodings = new Map<string, EncodingWeights>();
  #multiparts = 0;

  constructor(options: StaticFilesOptions) {
    this.#options = options;
    this.#cache = new FileCache(options, options.now);
  }

  /** What is held at the moment, for metrics. */
  get usage(): { readonly entries: number; readonly bytes: number; readonly watches: number } {
    return {
      entries: this.#cache.entryCount,
      bytes: this.#cache.bytes,
      watches: this.#cache.watches.watching,
    };
  }

  /** Never throws for anything that a client sends or the file system says. Reads the file system synchronously. */
  serve(action: StaticAction, request: StaticRequest): ContentResponse {
    const site = this.#siteOf(action);
    const { method } = request;
    if (method === "GET" && !request.conditional) {
      const entry = site.entries.get(request.path);
      if (entry?.whole !== undefined && this.#isFresh(entry)) {
        entry.used = true;
        return entry.whole;
      }
    } else if (method !== "GET" && method !== "HEAD") {
      return fixed(405, method);
    }
    return this.#find(site, request);
  }

  /** Forgets everything and ends all watches. Responses under way keep their descriptors until they are closed. */
  close(): void {
    this.#cache.close();
  }

  #siteOf(action: StaticAction): Site {
    let site = this.#sites.get(action);
    if (site === undefined) {
      site = this.#cache.siteOf(action);
      this.#sites.set(action, site);
    }
    return site;
  }

  #isFresh(entry: Entry): boolean {
    const nowMs = this.#options.now();
    return nowMs - entry.checkedAtMs < this.#options.recheckAfterMs && nowMs >= entry.folder.unsettledUntilMs;
  }

  #find(site: Site, request: StaticRequest): ContentResponse {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const entry = this.#entry(site, request.path);
      if (typeof entry === "string") return refusal(entry, request);
      const response = this.#answer(this.#choose(entry, request), request);
      if (response !== undefined) return response;
      this.#cache.remove(entry);
    }
    return fixed(500, request.method);
  }

  #entry(site: Site, path: string): Entry | LookupFailure {
    const known = site.entries.get(path);
    if (known !== undefined) {
      known.used = true;
      if (this.#isFresh(known)) return known;
      if (isUnchanged(known)) {
        known.checkedAtMs = this.#options.now();
        return known;
      }
      this.#cache.remove(known);
    }
    const found = lookUp(site, path, this.#cache, this.#options, this.#options.now());
    if (typeof found !== "string") this.#cache.add(found);
    return found;
  }

  #choose(entry: Entry, request: StaticRequest): Representation {
    if (entry.br === undefined && entry.gzip === undefined) return entry.plain;
    const weights = this.#weights(request.field("accept-encoding"));
    const encoding = chooseEncoding(weights, entry.br !== undefined, entry.gzip !== undefined);
    return (encoding === "identity" ? undefined : entry[encoding]) ?? entry.plain;
  }

  #weights(acceptEncoding: string | undefined): EncodingWeights {
    if (acceptEncoding === undefined) return PLAIN_ONLY;
    let weights = this.#encodings.get(acceptEncoding);
    if (weights === undefined) {
      weights = parseAcceptEncoding(acceptEncoding);
      if (this.#encodings.size >= MAX_REMEMBERED_ENCODINGS) this.#encodings.clear();
      this.#encodings.set(detached(acceptEncoding), weights);
    }
    return weights;
  }

  /** `undefined` if the file is no longer what was found. */
  #answer(file: Representation, request: StaticRequest): ContentResponse | undefined {
    if (request.conditional) {
      const result = evaluateConditions(request, file);
      if (result === "failed") return fixed(412, request.method);
      if (result === "not-modified") return file.notModified;
    }
    if (request.method === "HEAD") return file.head;
    if (request.conditional) {
      const range = request.field("range");
      if (range !== undefined && rangeApplies(request, file)) {
        const ranges = parseByteRanges(range, file.sizeBytes, this.#options.maxRanges);
        if (ranges === "unsatisfiable") {
          return textResponse(416, request.method, [["Content-Range", `bytes */${file.sizeBytes}`]]);
        }
        if (ranges !== "ignore") return this.#partial(file, ranges);
      }
    }
    return file.whole ?? wholeFromDisk(file);
  }

  #partial(file: Representation, ranges: readonly ByteRange[]): ContentResponse | undefined {
    const boundary = String(++this.#multiparts).padStart(20, "0");
    if (file.content !== undefined) {
      const { fields, body } = buildPartial(file, ranges, -1, boundary);
      return memoryResponse(206, fields, body);
    }
    const fd = openUnchanged(file.path, file.identity);
    if (fd === undefined) return undefined;
    const { fields, body } = buildPartial(file, ranges, fd, boundary);
    return fileResponse(206, fields, body, fd);
  }
}

function wholeFromDisk(file: Representation): ContentResponse | undefined {
  const fd = openUnchanged(file.path, file.identity);
  if (fd === undefined) return undefined;
  return fileResponse(200, file.fields, [{ fd, offset: 0, length: file.sizeBytes }], fd);
}

const FAILURE_STATUS = { missing: 404, forbidden: 403, failed: 500 } as const;

function refusal(failure: LookupFailure, request: StaticRequest): ContentResponse {
  if (failure !== "folder") return fixed(FAILURE_STATUS[failure], request.method);
  const location = `${encodePath(request.path)}/${encodeQuery(request.query)}`;
  return textResponse(301, request.method, [["Location", location]]);
}

const WITH_BODY = fixedResponses("GET");
const WITHOUT_BODY = fixedResponses("HEAD");

/** Answers that never differ are built once: a flood of misses should cost little. */
function fixed(status: keyof typeof WITH_BODY, method: string): ContentResponse {
  return (method === "HEAD" ? WITHOUT_BODY : WITH_BODY)[status];
}

function fixedResponses(method: string) {
  return {
    403: textResponse(403, method),
    404: textResponse(404, method),
    405: textResponse(405, method, [["Allow", "GET, HEAD"]]),
    412: textResponse(412, method),
    500: textResponse(500, method),
  };
}
