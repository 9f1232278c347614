import type { IngressClass } from "../../resources/ingressclass.ts";
import { DNS_NAME } from "../../resources/metadata.ts";
import { ourClasses } from "../../translate/classes.ts";
import type { SourcedObject } from "../../translate/objects.ts";
import type { TranslateOptions } from "../../translate/options.ts";

export interface SecretName {
  readonly namespace: string;
  readonly name: string;
}

/** The Secrets that routes of our classes name, by `namespace/name`. Of other people's routes none is read. */
export function namedSecrets(
  classes: readonly SourcedObject[],
  routes: Iterable<SourcedObject>,
  options: TranslateOptions,
): Map<string, SecretName> {
  const isOurs = ourClasses(
    classes.map(({ object }) => object as IngressClass),
    options,
  );
  const found = new Map<string, SecretName>();
  for (const { object } of routes) {
    if ((object.kind !== "Ingress" && object.kind !== "UwsgiRoute") || !isOurs(object.className)) continue;
    const names =
      object.kind === "Ingress" ? object.tls.map((each) => each.secretName) : [object.tlsSecretName];
    for (const name of names) {
      // Other names can be no Secret's, and might read as more than a name in a selector.
      if (name && DNS_NAME.test(name))
        found.set(`${object.namespace}/${name}`, { namespace: object.namespace, name });
    }
  }
  return found;
}
