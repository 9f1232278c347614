/** One request as the phases see it, whatever protocol version brought it. Strings are binary: a character per byte. */
import { FIELD } from "../http1/fields.ts";
import { FIELD_STRIDE, KNOWN, NEXT_SAME, REPEATED, VALUE_FROM, VALUE_TO } from "../http1/head-reader.ts";
import { ProtocolError } from "../http1/protocol-error.ts";
import type { RequestHeadReader } from "../http1/request-head.ts";
import { normalizePath, readHost, splitTarget, type TargetParts } from "../http1/target.ts";
import type { ClientIdentity } from "./identity.ts";

export class Request {
  readonly head: RequestHeadReader;
  readonly client: ClientIdentity;
  readonly target: TargetParts = {
    authorityFrom: 0,
    authorityTo: 0,
    pathFrom: 0,
    pathTo: 0,
    queryFrom: 0,
    queryTo: 0,
    complex: false,
  };
  method = "";
  /** In lower case, without port and trailing dot; `""` where HTTP/1.0 left it out. */
  host = "";
  /** As the client sent it, port and all. */
  hostHeader = "";
  /** Decoded and normalized, slashes merged. */
  path = "/";
  /** The client asked to switch protocols. */
  upgrade = false;

  private lastHost = "";
  private lastHostHeader = "";

  constructor(head: RequestHeadReader, client: ClientIdentity) {
    this.head = head;
    this.client = client;
  }

  /** Forgets the request before; the method stays known where its line was read. */
  unload(): void {
    this.method = this.head.hasRequestLine ? readMethod(this.head) : "";
    this.host = "";
    this.hostHeader = "";
    this.path = "/";
    this.upgrade = false;
  }

  /** Takes a head that was read whole. Throws `ProtocolError`. */
  load(): void {
    const { head, target } = this;
    this.unload();
    this.upgrade = head.upgrade >= 0 && head.version === 11 && this.connectionHas("upgrade");
    splitTarget(head.bytes, head.targetFrom, head.targetTo, target);
    this.loadHost();
    this.path = normalizePath(head.bytes, target, true);
  }

  private loadHost(): void {
    const { head, target } = this;
    const { fields, host } = head;
    if (host < 0) {
      if (head.version === 11) throw new ProtocolError("bad_host");
    } else {
      this.readHostAt(fields[host * FIELD_STRIDE + VALUE_FROM]!, fields[host * FIELD_STRIDE + VALUE_TO]!);
    }
    // RFC 9112 section 3.2.2: the target's authority counts, whatever Host says.
    if (target.authorityTo > target.authorityFrom) this.readHostAt(target.authorityFrom, target.authorityTo);
  }

  /** The requests of a connection are mostly for one host: it is checked and made a string once. */
  private readHostAt(from: number, to: number): void {
    const { bytes } = this.head;
    const { lastHostHeader } = this;
    let same = to - from === lastHostHeader.length;
    for (let i = 0; same && i < lastHostHeader.length; i++) {
      same = bytes[from + i] === lastHostHeader.charCodeAt(i);
    }
    if (!same || lastHostHeader === "") {
      this.lastHost = readHost(bytes, from, to);
      this.lastHostHeader = bytes.toString("latin1", from, to);
    }
    this.host = this.lastHost;
    this.hostHeader = this.lastHostHeader;
  }

  /** Path and query as they came; `/` where an absolute-form target has no path. */
  get rawTarget(): string {
    const { head, target } = this;
    const raw = head.bytes.toString("latin1", target.pathFrom, head.targetTo);
    return target.pathTo === target.pathFrom ? `/${raw}` : raw;
  }

  get rawPath(): string {
    const { head, target } = this;
    return head.bytes.toString("latin1", target.pathFrom, target.pathTo) || "/";
  }

  get userAgent(): string {
    return this.known(FIELD.user_agent) ?? "";
  }

  get referer(): string {
    return this.known(FIELD.referer) ?? "";
  }

  /** Without the question mark. */
  get queryString(): string {
    return this.head.bytes.toString("latin1", this.target.queryFrom, this.target.queryTo);
  }

  get protocol(): string {
    return this.head.version === 10 ? "HTTP/1.0" : "HTTP/1.1";
  }

  /** Whether one of the comma-separated members of Connection is `token`, in lower case. */
  connectionHas(token: string): boolean {
    const { head } = this;
    if (head.connection < 0) return false;
    return listHas(this.joined(head.connection, ", "), token);
  }

  /** The Connection field as one lower-case list; `""` where absent. */
  get connectionList(): string {
    return this.head.connection < 0 ? "" : this.joined(this.head.connection, ",").toLowerCase();
  }

  /** The value of the line at `index` and of the later ones with its name. */
  joined(index: number, separator: string): string {
    const { bytes, fields } = this.head;
    let value = "";
    for (let i = index; ; ) {
      const at = i * FIELD_STRIDE;
      value += bytes.toString("latin1", fields[at + VALUE_FROM], fields[at + VALUE_TO]);
      i = fields[at + NEXT_SAME]!;
      if (i === 0) return value;
      value += separator;
    }
  }

  /** All lines named `name` (lower case, `-`), joined; `undefined` where there is none. */
  field(name: string): string | undefined {
    const { bytes, fields, fieldCount } = this.head;
    for (let i = 0; i < fieldCount; i++) {
      const at = i * FIELD_STRIDE;
      if (fields[at + REPEATED] === 1 || fields[at + 1]! - fields[at]! !== name.length) continue;
      if (bytes.toString("latin1", fields[at], fields[at + 1]).toLowerCase() !== name) continue;
      return this.joined(i, name === "cookie" ? "; " : ", ");
    }
    return undefined;
  }

  /** The first line alone, as NGINX takes a field that must not come twice; by number, in `FIELD`. */
  first(field: number): string | undefined {
    const { bytes, fields, fieldCount } = this.head;
    for (let i = 0; i < fieldCount; i++) {
      const at = i * FIELD_STRIDE;
      if (fields[at + KNOWN] === field) {
        return bytes.toString("latin1", fields[at + VALUE_FROM], fields[at + VALUE_TO]);
      }
    }
    return undefined;
  }

  /** All lines, joined; by number, in `FIELD`. */
  known(field: number): string | undefined {
    const { fields, fieldCount } = this.head;
    for (let i = 0; i < fieldCount; i++) {
      if (fields[i * FIELD_STRIDE + KNOWN] !== field) continue;
      return this.joined(i, field === FIELD.cookie ? "; " : ", ");
    }
    return undefined;
  }
}

function readMethod(head: RequestHeadReader): string {
  const { bytes, start, methodTo } = head;
  const isGet =
    methodTo - start === 3 && bytes[start] === 0x47 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x54;
  return isGet ? "GET" : bytes.toString("latin1", start, methodTo);
}

/** Whether a comma-separated list has a member, compared without case. */
export function listHas(list: string, lowerCaseToken: string): boolean {
  if (list.length === lowerCaseToken.length) return list.toLowerCase() === lowerCaseToken;
  return list
    .toLowerCase()
    .split(",")
    .some((member) => member.trim() === lowerCaseToken);
}
