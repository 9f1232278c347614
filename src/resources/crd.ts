/**
 * The CustomResourceDefinition of UwsgiRoute, made from the schema that the gateway itself parses with, so that an API
 * server refuses what the gateway would. `make generate` writes it into the chart.
 */
import { stringify } from "yaml";
import { z } from "zod";
import { DOMAIN } from "./annotations.ts";
import { CEL_RULES } from "./crd-rules.ts";
import { type StructuralSchema, structuralSchema } from "./crd-schema.ts";
import { STATUS_SCHEMA } from "./crd-status.ts";
import { uwsgiRouteSpecSchema } from "./uwsgiroute.ts";

/** A column of `kubectl get`. Priority 1 is shown with `-o wide` only. */
interface Column {
  readonly name: string;
  readonly type: "date" | "string";
  readonly description: string;
  readonly jsonPath: string;
  readonly priority?: 1;
}

function conditionColumn(name: string, type: string, description: string, priority?: 1): Column {
  const jsonPath = `.status.conditions[?(@.type=="${type}")].status`;
  return { name, type: "string", description, jsonPath, ...(priority === undefined ? {} : { priority }) };
}

/** READY is Programmed, which is True only when the proxies serve the route as it stands. */
const COLUMNS: readonly Column[] = [
  {
    name: "Hostnames",
    type: "string",
    description: "The names that the route serves; none for any host.",
    jsonPath: ".spec.hostnames",
  },
  conditionColumn("Ready", "Programmed", "Whether the proxies serve the route as it stands."),
  {
    name: "Age",
    type: "date",
    description: "How long the route has been there.",
    jsonPath: ".metadata.creationTimestamp",
  },
  {
    name: "Class",
    type: "string",
    description: "The class of gateways that serve the route.",
    jsonPath: ".spec.ingressClassName",
    priority: 1,
  },
  conditionColumn("Accepted", "Accepted", "Whether the route is in force.", 1),
  conditionColumn("ResolvedRefs", "ResolvedRefs", "Whether what the route names was found.", 1),
  conditionColumn("Programmed", "Programmed", "Whether the proxies serve the route as it stands.", 1),
  {
    name: "Message",
    type: "string",
    description: "What the conditions that are not True say.",
    jsonPath: '.status.conditions[?(@.status!="True")].message',
    priority: 1,
  },
];

/** The schema of a whole UwsgiRoute. */
export function uwsgiRouteSchema(): StructuralSchema {
  const spec = z.toJSONSchema(uwsgiRouteSpecSchema, { io: "input" });
  return {
    description: "Hosts and paths that go to uWSGI apps or to files.",
    type: "object",
    required: ["spec"],
    properties: {
      apiVersion: { description: `${DOMAIN}/v1alpha1`, type: "string" },
      kind: { description: "UwsgiRoute", type: "string" },
      metadata: { type: "object" },
      spec: {
        ...structuralSchema(spec, "spec", CEL_RULES),
        description: "What the route serves, and how.",
      },
      status: STATUS_SCHEMA,
    },
  };
}

export function uwsgiRouteDefinition() {
  const plural = "uwsgiroutes";
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${DOMAIN}` },
    spec: {
      group: DOMAIN,
      scope: "Namespaced",
      names: {
        kind: "UwsgiRoute",
        listKind: "UwsgiRouteList",
        plural,
        singular: "uwsgiroute",
        shortNames: ["uwr"],
      },
      versions: [
        {
          name: "v1alpha1",
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: COLUMNS,
          schema: { openAPIV3Schema: uwsgiRouteSchema() },
        },
      ],
    },
  } as const;
}

/** As a file. Kubernetes reads YAML 1.1, where more words need quotes. */
export function uwsgiRouteDefinitionText(): string {
  const yaml = stringify(uwsgiRouteDefinition(), {
    aliasDuplicateObjects: false,
    // Rules stay on one line: what a parser makes of folded ones need not be asked.
    lineWidth: 0,
    version: "1.1",
  });
  return `# Made by \`make generate\` from src/resources: change it there.\n${yaml}`;
}
