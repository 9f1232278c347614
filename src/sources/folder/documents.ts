import { parseAllDocuments } from "yaml";

/** A piece of a file that parses by itself. */
export interface Chunk {
  readonly text: string;
  /** Of its first character in the file. */
  readonly offset: number;
}

/** Text that does not parse. `offset` is within the text given. */
export class DocumentError extends Error {
  override name = "DocumentError";
  readonly offset: number | undefined;

  constructor(message: string, offset?: number) {
    super(message);
    this.offset = offset;
  }
}

/**
 * Cuts YAML text before each `---` line. YAML ends a document there whatever surrounds the line, a block scalar or
 * an open quote too. Directives and `...` lines belong to two documents: such a file stays in one piece.
 */
export function splitDocuments(text: string): Chunk[] {
  if (/^(%|\.\.\.(\s|$))/m.test(text)) return [{ text, offset: 0 }];
  const chunks: Chunk[] = [];
  let start = 0;
  for (const { index } of text.matchAll(/^---(?=\s|$)/gm)) {
    if (index > start) chunks.push({ text: text.slice(start, index), offset: start });
    start = index;
  }
  chunks.push({ text: text.slice(start), offset: start });
  return chunks;
}

/** The values of YAML text, one for each document. Merge keys (`<<`) work, as with kubectl. Throws `DocumentError`. */
export function readYaml(text: string): unknown[] {
  const options = { prettyErrors: false, logLevel: "error", merge: true } as const;
  const documents = parseAllDocuments(text, options);
  return [...documents].map((document) => {
    const error = document.errors[0];
    if (error !== undefined) throw new DocumentError(error.message, error.pos[0]);
    // Throws where aliases would multiply the document's size.
    return document.toJS();
  });
}

/**
 * The values of JSON text: one, or objects one after the other, as `kubectl get -o json` and `jq` append them. Throws `DocumentError`,
 * without the runtime's message: that quotes the text, Secrets too.
 */
export function readJson(text: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch (error) {
    const chunks = splitJson(text);
    if (chunks.length === 1) throw new DocumentError("not valid JSON", positionIn(error));
    return chunks.map(readJsonChunk);
  }
}

function readJsonChunk({ text, offset }: Chunk): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DocumentError("not valid JSON", offset + (positionIn(error) ?? 0));
  }
}

/** One runtime says it, one does not. */
function positionIn(error: unknown): number | undefined {
  const position = /position ([0-9]+)/.exec((error as Error).message)?.[1];
  return position === undefined ? undefined : Number(position);
}

/** Cuts after each closing bracket that ends a value; space around a value belongs to none. */
export function splitJson(text: string): Chunk[] {
  const chunks: Chunk[] = [];
  let start = 0;
  let depth = 0;
  let isString = false;
  const take = (end: number) => {
    const lead = text.slice(start, end).search(/\S/);
    if (lead >= 0) chunks.push({ text: text.slice(start + lead, end), offset: start + lead });
    start = end;
  };
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (isString) {
      if (character === "\\") at++;
      else if (character === '"') isString = false;
    } else if (character === '"') isString = true;
    else if (character === "{" || character === "[") depth++;
    else if ((character === "}" || character === "]") && --depth <= 0) {
      depth = 0;
      take(at + 1);
    }
  }
  take(text.length);
  return chunks.length === 0 ? [{ text, offset: 0 }] : chunks;
}
