/**
 * The corpus on disk: one input a file, written so that it can be read and reviewed. `\r`, `\n`, `\t`, `\\` and `\xHH` stand for
 * bytes; real line ends in the file do not count.
 */

import { readdirSync, readFileSync } from "node:fs";
import { latin1 } from "../incremental-reader.ts";

const folder = new URL("corpus/", import.meta.url);

/** All inputs of a subject, in the order of their file names. */
export function readCorpus(subject: string): Uint8Array[] {
  const files = readdirSync(new URL(`${subject}/`, folder)).sort();
  return files.map((file) => unescaped(readFileSync(new URL(`${subject}/${file}`, folder), "utf8")));
}

/** An input in the notation of the corpus, on one line. */
export function escaped(input: Uint8Array): string {
  return Array.from(input, (byte) => {
    if (byte === 0x5c) return "\\\\";
    if (byte >= 0x20 && byte < 0x7f) return String.fromCharCode(byte);
    return named.get(byte) ?? `\\x${byte.toString(16).padStart(2, "0")}`;
  }).join("");
}

function unescaped(text: string): Uint8Array {
  const escapes = /\\(?:x([0-9a-f]{2})|([rnt\\]))/g;
  const letters: Readonly<Record<string, string>> = { r: "\r", n: "\n", t: "\t", "\\": "\\" };
  const oneLine = text.replaceAll("\n", "");
  return latin1(
    oneLine.replace(escapes, (_, hex, letter) =>
      hex === undefined ? letters[letter]! : String.fromCharCode(Number.parseInt(hex, 16)),
    ),
  );
}

const named: ReadonlyMap<number, string> = new Map([
  [0x0d, "\\r"],
  [0x0a, "\\n"],
  [0x09, "\\t"],
]);
