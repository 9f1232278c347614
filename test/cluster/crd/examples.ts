/** The UwsgiRoutes that the repository shows its readers, and those that its golden files are made from. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const GOLDEN = "src/translate/testdata";
const FOLDERS = ["deploy/examples", "deploy/examples/site", "test/demo/manifests", GOLDEN];
const PAGES = ["README.md", "docs"];

export interface Example {
  /** Its file, and its place there. */
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: what people write
  readonly object: any;
}

export function exampleRoutes(): Example[] {
  const manifests = FOLDERS.flatMap((folder) => filesIn(folder, /(?<!\.out)\.yaml$/));
  const pages = PAGES.flatMap((page) => (page.endsWith(".md") ? [page] : filesIn(page, /\.md$/)));
  const texts = [
    ...manifests.map((file) => ({ file, text: readText(file) })),
    ...pages.flatMap((file) => yamlBlocks(readText(file)).map((text) => ({ file, text }))),
  ];
  return texts.flatMap(({ file, text }) => routesIn(file, text));
}

function filesIn(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(ROOT, folder))
    .filter((name) => pattern.test(name))
    .map((name) => `${folder}/${name}`);
}

function readText(file: string): string {
  // Placeholders of the demo, which puts absolute paths there.
  return readFileSync(join(ROOT, file), "utf8").replaceAll(/@[A-Z]+@/g, "/srv/demo");
}

function yamlBlocks(page: string): string[] {
  return [...page.matchAll(/^```yaml\n(.*?)^```/gms)].map((found) => found[1]!);
}

/** A ConfigMap may hold some, too, for a sidecar. */
function routesIn(file: string, text: string): Example[] {
  return parseAllDocuments(text).flatMap((document) => {
    const raw = document.toJS() as Example["object"] | null;
    if (raw?.kind === "ConfigMap") {
      return Object.values(raw.data as Record<string, string>).flatMap((inner) => routesIn(file, inner));
    }
    if (raw?.kind !== "UwsgiRoute") return [];
    return [{ name: `${file}: ${raw.metadata?.name}`, object: raw }];
  });
}
