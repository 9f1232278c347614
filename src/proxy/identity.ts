/**
 * Who the client is, as the app is told: the peer's address, and the forwarded headers, which are ours
 * unless the peer is trusted. Made once for a connection.
 */

import { FIELD } from "../http1/fields.ts";
import type { Stream } from "../net/stream.ts";
import type { ForwardTarget } from "../routing/table.ts";
import { encodePair } from "../uwsgi/encoder.ts";
import type { Request } from "./request.ts";

export interface RepeatedVars {
  readonly bytes: Buffer;
  readonly count: number;
  /** The forwarded headers are among them. */
  readonly withForwarded: boolean;
  readonly target: ForwardTarget;
  readonly version: number;
  readonly hostHeader: string;
}

/** The forwarded headers of one request, by the number of their field. */
export type Forwarded = ReadonlyMap<number, { readonly name: string; readonly value: string }>;

export class ClientIdentity {
  readonly address: string;
  readonly port: number;
  readonly localPort: number;
  /** `http` or `https`. */
  readonly scheme: string;
  /** The peer may speak for others (`--trusted-proxies`). */
  readonly trusted: boolean;
  private readonly connectionVars: Buffer;
  private repeated: RepeatedVars | undefined;

  constructor(address: string, port: number, localPort: number, scheme: string, trusted: boolean) {
    this.address = address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
    this.port = port;
    this.localPort = localPort;
    this.scheme = scheme;
    this.trusted = trusted;
    this.connectionVars = encodePairs([
      ["REQUEST_SCHEME", scheme],
      ...(scheme === "https" ? ([["HTTPS", "on"]] as const) : []),
      ["REMOTE_ADDR", this.address],
      ["REMOTE_PORT", String(port)],
      ["SERVER_PORT", String(localPort)],
    ]);
  }

  /**
   * The vars that mostly stay the same from one request of the connection to the next, as one block: DOCUMENT_ROOT, SERVER_PROTOCOL,
   * REQUEST_SCHEME, HTTPS, REMOTE_ADDR, REMOTE_PORT, SERVER_PORT, SERVER_NAME, and the forwarded headers unless
   * they depend on the request (a trusted peer, or a route that replaces some).
   */
  repeatedVars(request: Request, target: ForwardTarget): RepeatedVars {
    const { repeated } = this;
    const { version } = request.head;
    if (
      repeated !== undefined &&
      repeated.target === target &&
      repeated.version === version &&
      repeated.hostHeader === request.hostHeader
    ) {
      return repeated;
    }
    const withForwarded = !this.trusted && target.vars.replacedFields === undefined;
    const forwarded = withForwarded ? [...this.forwarded(request).values()] : [];
    this.repeated = {
      target,
      version,
      hostHeader: request.hostHeader,
      withForwarded,
      count: 2 + (this.scheme === "https" ? 5 : 4) + 1 + forwarded.length,
      bytes: Buffer.concat([
        target.vars.documentRoot,
        encodePairs([["SERVER_PROTOCOL", request.protocol]]),
        this.connectionVars,
        target.serverNameVar ?? encodePairs([["SERVER_NAME", request.host]]),
        encodePairs(forwarded.map(({ name, value }) => [varName(name), value])),
      ]),
    };
    return this.repeated;
  }

  /**
   * X-Forwarded-For, -Proto, -Host, -Port, -SSL, Forwarded and X-Real-IP as they are true here. From a trusted peer, For is
   * appended to and the others are kept as they came.
   */
  forwarded(request: Request): Forwarded {
    const all = new Map<number, { name: string; value: string }>();
    const set = (field: number, name: string, own: string) => {
      const theirs = this.trusted ? request.known(field) : undefined;
      const value = theirs ?? own;
      if (value !== "") all.set(field, { name, value });
    };
    const earlier = this.trusted ? request.known(FIELD.x_forwarded_for) : undefined;
    all.set(FIELD.x_forwarded_for, {
      name: "X-Forwarded-For",
      value: earlier ? `${earlier}, ${this.address}` : this.address,
    });
    set(FIELD.x_forwarded_proto, "X-Forwarded-Proto", this.scheme);
    set(FIELD.x_forwarded_host, "X-Forwarded-Host", request.hostHeader);
    set(FIELD.x_forwarded_port, "X-Forwarded-Port", String(this.localPort));
    set(FIELD.x_forwarded_ssl, "X-Forwarded-SSL", this.scheme === "https" ? "on" : "");
    set(FIELD.x_real_ip, "X-Real-IP", this.address);
    set(FIELD.forwarded, "Forwarded", this.forwardedElement(request.hostHeader));
    return all;
  }

  /** RFC 7239 section 4. The host was checked: it holds no quote and no backslash. */
  private forwardedElement(host: string): string {
    const node = this.address.includes(":") ? `"[${this.address}]"` : this.address;
    const hostPart = host === "" ? "" : `;host="${host}"`;
    return `for=${node}${hostPart};proto=${this.scheme}`;
  }
}

export function varName(fieldName: string): string {
  return `HTTP_${fieldName.toUpperCase().replaceAll("-", "_")}`;
}

/** Whoever is at the other end of `stream`. `scheme` is the listener's. */
export function identify(
  stream: Stream,
  scheme: string,
  isTrusted: (address: string) => boolean,
): ClientIdentity {
  const { remoteAddress, remotePort, localPort } = stream;
  return new ClientIdentity(remoteAddress, remotePort, localPort, scheme, isTrusted(remoteAddress));
}

function encodePairs(pairs: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(pairs.map(([name, value]) => encodePair(name, value)));
}
