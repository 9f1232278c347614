import { type ObjectRef, refKey } from "../../resources/metadata.ts";
import {
  type IgnoredResult,
  type InvalidResult,
  openLists,
  parseObject,
  type Resource,
} from "../../resources/parse.ts";
import type { Problem } from "../../resources/problem.ts";
import { type Chunk, DocumentError, readJson, readYaml, splitDocuments } from "./documents.ts";
import type { TimeSlice } from "./time-slice.ts";

/** What a file holds, after parsing. */
export interface FileContent {
  /** In the order of the file. */
  readonly entries: readonly Entry[];
  /** What cannot be laid at one object's door. While there is any, objects that the file held before stay. */
  readonly faults: readonly Fault[];
  /** What is left out of account, and may not be meant to be. */
  readonly warnings: readonly Fault[];
  readonly documents: ParsedDocuments;
}

/** An object of a file, good or bad. */
export type Entry =
  | { readonly key: string; readonly object: Resource }
  | { readonly key: string; readonly ref: ObjectRef; readonly invalid: InvalidResult };

export interface Fault {
  /** Counted from 1. */
  readonly line?: number;
  readonly message: string;
}

/** By text. The next version of a file shares most of its documents, and YAML is slow to parse. */
type ParsedDocuments = ReadonlyMap<string, ParsedDocument>;

interface ParsedDocument {
  readonly entries: readonly Entry[];
  readonly faults: readonly DocumentFault[];
  readonly warnings: readonly DocumentFault[];
  /** The items of a `List`, by their JSON: a list is one document, whose text changes with any of them. */
  readonly items: ReadonlyMap<string, Parsed>;
}

interface DocumentFault {
  readonly message: string;
  /** Within the document, where the parser says. */
  readonly offset?: number | undefined;
}

type Parsed = Entry | { readonly fault: string } | { readonly ignored: true; readonly warning?: string };

/** A second look at a well-formed object: problems that make it unacceptable here. */
export type Accept = (object: Resource) => readonly Problem[];

export const EMPTY_CONTENT: FileContent = { entries: [], faults: [], warnings: [], documents: new Map() };

export interface ParseContext {
  readonly accept: Accept;
  readonly slice: TimeSlice;
}

/** Parses a file's text, taking over from `before` what has not changed. Pauses where there is much to do. */
export async function parseContent(
  text: string,
  format: "yaml" | "json",
  before: FileContent,
  context: ParseContext,
): Promise<FileContent> {
  const documents = new Map<string, ParsedDocument>();
  const entries: Entry[] = [];
  const faults: Fault[] = [];
  const warnings: Fault[] = [];
  for (const chunk of format === "json" ? [{ text, offset: 0 }] : splitDocuments(text)) {
    const known = before.documents.get(chunk.text);
    const document = known ?? (await parseDocument(chunk.text, format, before.documents, context));
    documents.set(chunk.text, document);
    for (const entry of document.entries) entries.push(entry);
    for (const fault of document.faults) faults.push(inFile(fault, chunk, text));
    for (const warning of document.warnings) warnings.push(inFile(warning, chunk, text));
    if (context.slice.isOver()) await context.slice.pause();
  }
  return { entries, faults, warnings, documents };
}

function inFile({ message, offset }: DocumentFault, chunk: Chunk, text: string): Fault {
  return offset === undefined ? { message } : { line: lineAt(text, chunk.offset + offset), message };
}

async function parseDocument(
  text: string,
  format: "yaml" | "json",
  before: ParsedDocuments,
  { accept, slice }: ParseContext,
): Promise<ParsedDocument> {
  // Parsed strings are views of the text they were cut from: of a copy, or one document would hold its whole file.
  const values = readObjects(Buffer.from(text).toString(), format);
  if (!Array.isArray(values)) return { entries: [], faults: [values], warnings: [], items: new Map() };
  const known = values.length > 1 ? itemsOf(before) : undefined;
  const items = new Map<string, Parsed>();
  const entries: Entry[] = [];
  const faults: DocumentFault[] = [];
  const warnings: DocumentFault[] = [];
  for (const value of values) {
    const key = known && JSON.stringify(value);
    const parsed = (key && known?.get(key)) || parseEntry(value, accept);
    if (key) items.set(key, parsed);
    if ("fault" in parsed) faults.push({ message: parsed.fault, offset: 0 });
    else if (!("ignored" in parsed)) entries.push(parsed);
    else if (parsed.warning !== undefined) warnings.push({ message: parsed.warning, offset: 0 });
    if (slice.isOver()) await slice.pause();
  }
  return { entries, faults, warnings, items };
}

/** The raw objects of a document, or why there are none. Text from outside may break a parser in any way. */
function readObjects(text: string, format: "yaml" | "json"): unknown[] | DocumentFault {
  try {
    return (format === "json" ? readJson(text) : readYaml(text)).flatMap(openLists);
  } catch (error) {
    const offset = error instanceof DocumentError ? error.offset : 0;
    return { message: `does not parse: ${(error as Error).message}`, offset };
  }
}

function itemsOf(documents: ParsedDocuments): ReadonlyMap<string, Parsed> {
  const lists = [...documents.values()].filter((document) => document.items.size > 0);
  return lists.length === 1 ? lists[0]!.items : new Map(lists.flatMap((document) => [...document.items]));
}

function parseEntry(raw: unknown, accept: Accept): Parsed {
  const result = parseObject(raw);
  if (result.type === "ignored") return ignoredEntry(raw, result);
  if (result.type === "object") return acceptedEntry(result.object, accept);
  if (result.ref !== undefined) return invalidEntry(result, result.ref, accept);
  const { field, message } = result.problems[0]!;
  return { fault: `holds something that is not a Kubernetes object: ${field} ${message}`.replace("  ", " ") };
}

function ignoredEntry(raw: unknown, { meant }: IgnoredResult): Parsed {
  if (meant === undefined) return { ignored: true };
  const { apiVersion, kind } = raw as { apiVersion: string; kind: string };
  return {
    ignored: true,
    warning: `holds kind ${kind} of ${apiVersion}, which is not read: is ${meant} meant?`,
  };
}

function invalidEntry({ partial, ...invalid }: InvalidResult, ref: ObjectRef, accept: Accept): Entry {
  const further = partial === undefined ? [] : accept(partial);
  return { key: refKey(ref), ref, invalid: { ...invalid, problems: [...invalid.problems, ...further] } };
}

function acceptedEntry(object: Resource, accept: Accept): Entry {
  const { kind, namespace, name } = object;
  const ref = { kind, namespace, name };
  const problems = accept(object);
  if (problems.length === 0) return { key: refKey(ref), object };
  const className = "className" in object ? { className: object.className } : {};
  return { key: refKey(ref), ref, invalid: { type: "invalid", ref, ...className, problems } };
}

function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) line++;
  return line;
}
