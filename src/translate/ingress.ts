import type { Ingress, IngressBackend } from "../resources/ingress.ts";
import type { PathMatch } from "../resources/path.ts";
import type { Claim } from "./hosts.ts";
import type { RouteTranslation } from "./translation.ts";
import { exactHost } from "./uwsgiroute.ts";

const EVERY_PATH: PathMatch = { type: "prefix", value: "" };

/** The rules; `translateDefaultBackend` comes once the rules of every object are in. */
export function translateIngress(ingress: Ingress, part: RouteTranslation): void {
  const place = placer(ingress, part);
  ingress.tls.forEach(({ hosts, secretName: name }, i) => {
    // Without a Secret the entry asks for whatever certificate the controller has.
    if (name === "") return;
    const hostnames = hosts.length > 0 ? hosts : ruleHosts(ingress);
    part.certificate({ namespace: ingress.namespace, name, hostnames }, `spec.tls[${i}].secretName`);
  });
  let count = 0;
  ingress.rules.forEach(({ host, paths }, i) => {
    paths.forEach(({ path, backend }, j) => {
      const field = `spec.rules[${i}].http.paths[${j}]`;
      place({ host, path }, backend, field, `${field}.backend`, String(count++));
    });
    // A rule with a host alone sends that host to the default backend.
    if (paths.length === 0 && ingress.defaultBackend !== undefined) {
      const field = `spec.rules[${i}]`;
      place(
        { host, path: EVERY_PATH },
        ingress.defaultBackend,
        field,
        "spec.defaultBackend",
        String(count++),
      );
    }
  });
}

function ruleHosts({ rules }: Ingress): string[] {
  return [...new Set(rules.flatMap(({ host }) => (host === "" ? [] : [host])))];
}

/** What no rule of any object takes. Only one Ingress can have that; the first by precedence does. */
export function translateDefaultBackend(ingress: Ingress, part: RouteTranslation): void {
  const everything = { host: "", path: EVERY_PATH, wildcardDepth: "any" } as const;
  // Its own rule for every host and path leaves nothing over, and is no mistake.
  if (ingress.defaultBackend === undefined || part.serves(everything)) return;
  const field = "spec.defaultBackend";
  placer(ingress, part)(everything, ingress.defaultBackend, field, field, "default");
}

function placer(ingress: Ingress, part: RouteTranslation) {
  const { namespace, name, forwarding } = ingress;
  return (
    at: Pick<Claim, "host" | "path">,
    backend: IngressBackend,
    field: string,
    backendField: string,
    suffix: string,
  ): void => {
    const claim: Claim = {
      ...at,
      wildcardDepth: at.host.startsWith("*.") ? "one" : "any",
      purpose: JSON.stringify(backend),
    };
    const won = part.claim(claim, field);
    const found = resolveBackend(backend, namespace, backendField, part);
    if (!won) return;
    const { settings, upstreams } = part.translation;
    part.addRules([claim], {
      id: `Ingress/${namespace}/${name}/${suffix}`,
      serverName: exactHost(at.host),
      action: {
        type: "forward",
        settings: settings.intern(forwarding),
        backends: found === undefined ? [] : upstreams.backends([found]),
      },
    });
  };
}

function resolveBackend(backend: IngressBackend, namespace: string, field: string, part: RouteTranslation) {
  if (backend.type === "service") {
    return part.service({ namespace, name: backend.name, port: backend.port }, 1, field);
  }
  const message = `names ${backend.text}: only Services can be backends`;
  part.unresolved({ field, reason: "UnsupportedBackend", message });
  return undefined;
}
