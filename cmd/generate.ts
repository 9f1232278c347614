#!/usr/bin/env node
/** Writes what is made from the sources and kept in the repository. `make generate` runs it; tests tell where a file has drifted. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { uwsgiRouteDefinitionText } from "../src/resources/crd.ts";

const ROOT = join(import.meta.dirname, "..");
const FILES: Readonly<Record<string, () => string>> = {
  "charts/uwsgi-gateway/crds/uwsgiroutes.yaml": uwsgiRouteDefinitionText,
};

for (const [path, text] of Object.entries(FILES)) {
  const file = join(ROOT, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text());
  process.stdout.write(`${path}\n`);
}
