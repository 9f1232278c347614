#!/usr/bin/env node
/** Checks manifests as the gateway would read them from a folder. Exit status: 0 clean, 1 problems, 2 bad usage. */
import { parseArgs } from "node:util";
import { problemText, reportProblems } from "../src/reconcile/report.ts";
import { readManifests } from "../src/sources/folder/read-once.ts";
import { FOLDER_OPTIONS } from "../src/translate/options.ts";
import { refusals } from "../src/translate/refusals.ts";
import { translate } from "../src/translate/translate.ts";

const HELP = `Usage: check [options] FILE…|DIR…

Reads manifests as "proxy --manifests DIR" does and prints each problem as
  file: Kind namespace/name: field: message

  --allow-uwsgi-script  let params set UWSGI_SCRIPT, as the proxy's option of that name
  --help                print this

Exit status: 0 no problems (warnings do not count), 1 problems, 2 bad usage.
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: "boolean" }, "allow-uwsgi-script": { type: "boolean" } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (positionals.length === 0) throw new Error("give at least one file or folder");
  const options = { ...FOLDER_OPTIONS, allowUwsgiScript: values["allow-uwsgi-script"] ?? false };
  const manifests = await readManifests(positionals, (object) => refusals(object, options));
  const { snapshot, verdicts } = translate(manifests, options);
  const problems = reportProblems(verdicts, manifests.problems);
  for (const problem of problems) process.stdout.write(`${problemText(problem)}\n`);
  const errors = problems.filter((problem) => problem.severity === "error").length;
  if (errors > 0) {
    process.stdout.write(`${errors} ${errors === 1 ? "problem" : "problems"}\n`);
    return 1;
  }
  if (manifests.objects.length === 0) {
    process.stdout.write(`warning: ${positionals.join(", ")}: holds no object that the gateway reads\n`);
  }
  const rules = snapshot.hosts.reduce((sum, host) => sum + host.rules.length, 0);
  const routes = verdicts.length === 1 ? "1 route object" : `${verdicts.length} route objects`;
  process.stdout.write(`ok: ${manifests.objects.length} objects, ${routes} of our class, ${rules} rules\n`);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`check: ${(error as Error).message}\nTry --help.\n`);
  process.exitCode = 2;
}
