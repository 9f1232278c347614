/** Part of `make generate`: renders deploy/ from the chart, with the Helm that is here. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { findHelm, ROOT } from "./helm.ts";

const helm = findHelm();
if (helm === undefined) {
  console.error("deploy/uwsgi-gateway.yaml: no helm here (make cluster-tools builds one)");
  process.exit(1);
}
const script = join(ROOT, "deploy", "render.sh");
const { status } = spawnSync("sh", [script], { stdio: "inherit", env: { ...process.env, HELM: helm } });
if (status === 0) console.log("deploy/uwsgi-gateway.yaml");
process.exitCode = status ?? 1;
