/** A route's uwsgi settings, made ready so that a request copies bytes and looks little up. */
import type { ForwardSettings } from "../snapshot/snapshot.ts";
import { parseTemplate, type TemplatePart } from "../snapshot/template.ts";
import { encodeKey, encodePair } from "../uwsgi/encoder.ts";

export interface PlannedParam {
  readonly key: Buffer;
  readonly ifNotEmpty: boolean;
  readonly parts: readonly TemplatePart[];
  /** Name and value as one copy, when the value holds no variable. */
  readonly constant: Buffer | undefined;
  /** An empty literal: the client's field is taken out, and nothing put in its place. */
  readonly removes: boolean;
}

export interface VarPlan {
  readonly documentRoot: Buffer;
  /** `""` or a path without a trailing slash. */
  readonly scriptName: string;
  readonly params: readonly PlannedParam[];
  /** Vars of request fields (`HTTP_...`) that the params take the place of; `undefined` when there are none. */
  readonly replacedFields: ReadonlySet<string> | undefined;
}

/** Throws `TemplateError` for a value that translate should have refused. */
export function planVars({ uwsgi }: ForwardSettings): VarPlan {
  const replaced = uwsgi.params.map(({ name }) => name).filter((name) => name.startsWith("HTTP_"));
  return {
    documentRoot: encodePair("DOCUMENT_ROOT", binary(uwsgi.documentRoot)),
    scriptName: binary(uwsgi.scriptName),
    params: uwsgi.params.map(({ name, value, ifNotEmpty }) => {
      const parts = parseTemplate(value);
      return {
        key: encodeKey(name),
        ifNotEmpty,
        parts,
        constant:
          !(ifNotEmpty && value === "") && parts.every(({ type }) => type === "literal")
            ? encodePair(name, binary(value))
            : undefined,
        removes: value === "" && name.startsWith("HTTP_"),
      };
    }),
    replacedFields: replaced.length > 0 ? new Set(replaced) : undefined,
  };
}

/** Settings are text; the wire carries bytes, here as one character each. */
function binary(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
