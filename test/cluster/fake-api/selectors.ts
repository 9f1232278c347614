import type { StoredObject } from "./store.ts";

export type Selects = (object: StoredObject) => boolean;

/**
 * The selectors of a list or watch. Of label selectors: `key`, `!key`, `key=value`, `key!=value`, joined by commas; of field
 * selectors: `metadata.name`, `metadata.namespace` and `type`, with `=`. Throws on others, so that none is ignored.
 */
export function readSelectors(labels: string | null, fields: string | null): Selects {
  const tests = [...split(labels).map(readLabel), ...split(fields).map(readField)];
  return (object) => tests.every((test) => test(object));
}

export class SelectorError extends Error {
  override name = "SelectorError";
}

function split(text: string | null): string[] {
  return (text ?? "").split(",").filter((part) => part !== "");
}

function readLabel(text: string): Selects {
  const match = /^(!?)([\w./-]+)(?:(!?=)=?([\w./-]*))?$/.exec(text);
  if (match === null) throw new SelectorError(`label selector not understood: ${text}`);
  const [, not, key, operator, value] = match;
  return ({ metadata: { labels = {} } }) => {
    if (operator === "=") return labels[key!] === value;
    if (operator === "!=") return labels[key!] !== value;
    return (labels[key!] !== undefined) === (not === "");
  };
}

function readField(text: string): Selects {
  const [field, value, ...more] = text.split("=");
  if (value === undefined || more.length > 0)
    throw new SelectorError(`field selector not understood: ${text}`);
  switch (field) {
    case "metadata.name":
      return (object) => object.metadata.name === value;
    case "metadata.namespace":
      return (object) => object.metadata.namespace === value;
    case "type":
      return (object) => object["type"] === value;
    default:
      throw new SelectorError(`field label not supported: ${field}`);
  }
}
