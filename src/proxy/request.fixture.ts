/** For tests of this folder: a request as it is after its head was read, and a target with the settings that matter there. */
import { REQUEST_LIMITS, RequestHeadReader } from "../http1/request-head.ts";
import type { ForwardTarget } from "../routing/table.ts";
import { planVars } from "../routing/var-plan.ts";
import type { ForwardSettings, UwsgiSettings } from "../snapshot/snapshot.ts";
import { encodePair } from "../uwsgi/encoder.ts";
import { ClientIdentity } from "./identity.ts";
import { Request } from "./request.ts";

export interface RequestGiven {
  readonly line?: string;
  readonly fields?: readonly string[];
  readonly address?: string;
  readonly scheme?: string;
  readonly trusted?: boolean;
}

export function requestOf(given: RequestGiven = {}): Request {
  const { line = "GET / HTTP/1.1", fields = ["Host: h"] } = given;
  const { address = "192.0.2.7", scheme = "http", trusted = false } = given;
  const head = new RequestHeadReader(REQUEST_LIMITS);
  const wire = Buffer.from(`${[line, ...fields].join("\r\n")}\r\n\r\n`, "latin1");
  if (head.read(wire, 0, wire.length) !== wire.length) throw new Error("not one whole head");
  const request = new Request(head, new ClientIdentity(address, 5555, 8080, scheme, trusted));
  request.load();
  return request;
}

export function targetOf(uwsgi: Partial<UwsgiSettings> = {}, serverName?: string): ForwardTarget {
  const settings = {
    uwsgi: { scriptName: "", documentRoot: "", mergeSlashes: true, params: [], ...uwsgi },
  } as unknown as ForwardSettings;
  return {
    settings,
    vars: planVars(settings),
    serverName,
    serverNameVar: serverName === undefined ? undefined : encodePair("SERVER_NAME", serverName),
  } as ForwardTarget;
}
