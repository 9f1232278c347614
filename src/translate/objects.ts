import type { EndpointSlice } from "../resources/endpointslice.ts";
import type { Ingress } from "../resources/ingress.ts";
import type { IngressClass } from "../resources/ingressclass.ts";
import type { ObjectRef } from "../resources/metadata.ts";
import type { Resource } from "../resources/parse.ts";
import type { Problem } from "../resources/problem.ts";
import type { TlsSecret } from "../resources/secret.ts";
import type { Service } from "../resources/service.ts";
import type { UwsgiRoute } from "../resources/uwsgiroute.ts";

/** Everything that a source holds, good and bad. The order does not matter. */
export interface ObjectSet {
  readonly objects: readonly SourcedObject[];
  /** Objects that were refused. Where an earlier state of one still serves, that state is in `objects` too. */
  readonly invalid: readonly InvalidObject[];
}

export interface SourcedObject {
  readonly object: Resource;
  /** Where it was read, if from a file. */
  readonly file?: string;
}

export interface InvalidObject {
  readonly ref: ObjectRef;
  readonly className?: string;
  readonly file?: string;
  /** Of the state that was refused, where an API server counts it. */
  readonly generation?: number;
  readonly uid?: string;
  readonly problems: readonly Problem[];
}

/** The kinds that hold routes. */
export type Route = Ingress | UwsgiRoute;

export interface SourcedRoute {
  readonly object: Route;
  readonly file?: string;
}

/** The objects by kind and by what refers to them. */
export interface ObjectIndex {
  readonly routes: readonly SourcedRoute[];
  readonly classes: readonly IngressClass[];
  /** By `namespace/name`. */
  readonly services: ReadonlyMap<string, Service>;
  /** By `namespace/name` of their Service. */
  readonly slices: ReadonlyMap<string, readonly EndpointSlice[]>;
  /** By `namespace/name`. */
  readonly secrets: ReadonlyMap<string, TlsSecret>;
}

export function indexObjects(objects: readonly SourcedObject[]): ObjectIndex {
  const routes: SourcedRoute[] = [];
  const classes: IngressClass[] = [];
  const services = new Map<string, Service>();
  const slices = new Map<string, EndpointSlice[]>();
  const secrets = new Map<string, TlsSecret>();
  for (const sourced of objects) {
    const { object } = sourced;
    switch (object.kind) {
      case "Ingress":
      case "UwsgiRoute":
        routes.push(sourced as SourcedRoute);
        break;
      case "IngressClass":
        classes.push(object);
        break;
      case "Service":
        services.set(`${object.namespace}/${object.name}`, object);
        break;
      case "EndpointSlice":
        append(slices, `${object.namespace}/${object.serviceName}`, object);
        break;
      case "Secret":
        secrets.set(`${object.namespace}/${object.name}`, object);
        break;
    }
  }
  return { routes, classes, services, slices, secrets };
}

function append<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
