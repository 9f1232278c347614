/** Proves the whole control side over a real folder: manifests in, snapshots and reports out. */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Snapshot } from "../snapshot/snapshot.ts";
import {
  type ControlReport,
  type FolderControl,
  type FolderControlOptions,
  startFolderControl,
} from "./folder-control.ts";
import { problemText } from "./report.ts";

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

class Running {
  readonly folder: string;
  readonly snapshots: Snapshot[] = [];
  readonly reports: ControlReport[] = [];
  control!: FolderControl;
  #waiter: (() => void) | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  async start(options: Partial<FolderControlOptions>): Promise<void> {
    this.control = await startFolderControl({
      folder: this.folder,
      onSnapshot: (snapshot) => void this.snapshots.push(snapshot),
      onReport: (report) => {
        this.reports.push(report);
        this.#waiter?.();
      },
      ...options,
    });
    cleanups.push(() => this.control.close());
  }

  async until(passes: () => boolean): Promise<void> {
    while (!passes()) await new Promise<void>((resolve) => (this.#waiter = resolve));
  }

  write(name: string, text: string): Promise<void> {
    return writeFile(join(this.folder, name), text);
  }

  get hosts(): string[] {
    return this.snapshots.at(-1)!.hosts.map((host) => host.hostname);
  }
}

async function run(
  files: Record<string, string>,
  options: Partial<FolderControlOptions> = {},
): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), "folder-control-"));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const running = new Running(folder);
  for (const [name, text] of Object.entries(files)) await running.write(name, text);
  await running.start(options);
  return running;
}

function route(name: string, rule = "{static: {root: /srv}}"): string {
  return `{apiVersion: uwsgi-gateway.io/v1alpha1, kind: UwsgiRoute, metadata: {name: ${name}}, spec: {hostnames: [${name}.example.com], rules: [${rule}]}}\n`;
}

describe("startFolderControl", () => {
  test("gives the first snapshot before it resolves, and follows the folder from then on", async () => {
    const running = await run({ "a.yaml": route("a") });
    expect(running.hosts).toEqual(["a.example.com"]);
    expect(running.control.report).toMatchObject({
      version: running.snapshots[0]!.version,
      objects: 1,
      problems: [],
    });
    await running.write("b.yaml", route("b"));
    await running.until(() => running.snapshots.length === 2);
    expect(running.hosts).toEqual(["a.example.com", "b.example.com"]);
  });

  test("an empty folder is a snapshot, too", async () => {
    const running = await run({});
    expect(running.snapshots[0]?.hosts).toEqual([]);
  });

  test("a refused change leaves the last good state serving, and says so until it is mended", async () => {
    const running = await run({ "a.yaml": route("a") });
    await running.write(
      "a.yaml",
      route("a", '{backendRefs: [{socket: "unix:/s"}], uwsgi: {params: {X: $nosuch}}}'),
    );
    await running.until(() => running.control.report.problems.length > 0);
    const { report } = running.control;
    const text = `${join(running.folder, "a.yaml")}: UwsgiRoute default/a: spec.rules[0].uwsgi.params.X: has a value that does not read: unknown variable "$nosuch"`;
    expect(report.problems.map(problemText)).toEqual([text]);
    expect(report.newProblems).toEqual(report.problems);
    expect(report.verdicts[0]?.conditions).toMatchObject([
      { type: "Accepted", status: "False", reason: "Invalid" },
      { type: "ResolvedRefs", status: "True" },
    ]);
    expect(report.verdicts[0]?.conditions[0]?.message).toEndWith("; its last good state keeps serving");
    expect(running.snapshots.length).toBe(1);

    await running.write("a.yaml", route("a", '{backendRefs: [{socket: "unix:/s"}]}'));
    await running.until(() => running.control.report.problems.length === 0);
    expect(running.control.report.solvedProblems.map(problemText)).toEqual([text]);
    expect(running.snapshots.length).toBe(2);
  });

  test("a broken file is reported, and changes nothing", async () => {
    const running = await run({ "a.yaml": route("a") });
    await running.write("a.yaml", "kind: [");
    await running.until(() => running.control.report.fileProblems.length === 1);
    expect(running.control.report.problems.map(problemText)[0]).toStartWith(
      `${join(running.folder, "a.yaml")}:1: does not parse`,
    );
    expect(running.snapshots.length).toBe(1);
  });

  test("what comes to the same is not published again", async () => {
    const running = await run({ "a.yaml": route("a") });
    await running.write("a.yaml", `# a comment\n${route("a")}`);
    await running.until(() => running.reports.length === 2);
    expect(running.snapshots.length).toBe(1);
  });

  test("a Service without endpoints is a warning", async () => {
    const running = await run({
      "a.yaml": route("a", "{backendRefs: [{name: s, port: 80}]}"),
      "s.yaml": "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}",
    });
    const { problems } = running.control.report;
    expect(problems.map((problem) => problem.severity)).toEqual(["warning"]);
    expect(problemText(problems[0]!)).toEndWith(
      "a.yaml: warning: UwsgiRoute default/a: requests get 503: Service default/s has no EndpointSlice",
    );
  });

  test("UWSGI_SCRIPT is for the administrator to allow", async () => {
    const manifests = {
      "a.yaml": route("a", '{backendRefs: [{socket: "unix:/s"}], uwsgi: {params: {UWSGI_SCRIPT: app}}}'),
    };
    expect((await run(manifests)).hosts).toEqual([]);
    expect((await run(manifests, { allowUwsgiScript: true })).hosts).toEqual(["a.example.com"]);
  });

  test("a folder that is not there is an error", async () => {
    const running = new Running(join(tmpdir(), "no-such-folder-of-manifests"));
    expect(running.start({})).rejects.toThrow("manifests folder: ENOENT");
  });
});
