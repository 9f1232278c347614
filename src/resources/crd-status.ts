import type { StructuralSchema } from "./crd-schema.ts";

const MAX_CONDITIONS = 8;

/** `metav1.Condition`, with its own bounds. */
const condition: StructuralSchema = {
  description: "One aspect of the route's state.",
  type: "object",
  required: ["lastTransitionTime", "message", "reason", "status", "type"],
  properties: {
    type: {
      description: "Accepted, ResolvedRefs or Programmed.",
      type: "string",
      maxLength: 316,
      pattern:
        "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
    },
    status: { description: "True, False or Unknown.", type: "string", enum: ["True", "False", "Unknown"] },
    observedGeneration: {
      description: "The metadata.generation that the condition speaks of.",
      type: "integer",
      format: "int64",
      minimum: 0,
    },
    lastTransitionTime: {
      description: "When the status last changed.",
      type: "string",
      format: "date-time",
    },
    reason: {
      description: "Why, in one word.",
      type: "string",
      minLength: 1,
      maxLength: 1024,
      pattern: "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
    },
    message: { description: "Why, and what to do about it.", type: "string", maxLength: 32768 },
  },
};

/** What the gateway writes into a route. */
export const STATUS_SCHEMA: StructuralSchema = {
  description: "What became of the route. The gateway writes it.",
  type: "object",
  properties: {
    observedGeneration: {
      description: "The metadata.generation that the gateway last looked at.",
      type: "integer",
      format: "int64",
      minimum: 0,
    },
    conditions: {
      description:
        "Accepted: the route is in force. ResolvedRefs: what it names was found. Programmed: the proxies serve it.",
      type: "array",
      maxItems: MAX_CONDITIONS,
      items: condition,
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
    },
  },
};
