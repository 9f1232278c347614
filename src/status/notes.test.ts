/** Proves what is told in events: new and changed problems, what is mended, and a new object once. */
import { describe, expect, test } from "bun:test";
import type { Finding } from "./conditions.ts";
import { changeNotes, problemNotes } from "./notes.ts";

const well: readonly Finding[] = [
  { type: "Accepted", status: "True", reason: "Accepted", message: "in force" },
  { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", message: "found" },
  { type: "Programmed", status: "True", reason: "Programmed", message: "in use" },
];

function but(...changed: Finding[]): readonly Finding[] {
  return well.map((finding) => changed.find(({ type }) => type === finding.type) ?? finding);
}

const missing: Finding = {
  type: "ResolvedRefs",
  status: "False",
  reason: "BackendNotFound",
  message: "no x",
};
const idle: Finding = { type: "ResolvedRefs", status: "True", reason: "NoEndpoints", message: "none ready" };
const invalid = but(
  { type: "Accepted", status: "False", reason: "Invalid", message: "bad" },
  { type: "ResolvedRefs", status: "Unknown", reason: "NotAccepted", message: "see Accepted" },
  { type: "Programmed", status: "False", reason: "NotAccepted", message: "see Accepted" },
);
const pending = but({ type: "Programmed", status: "Unknown", reason: "Pending", message: "waiting" });

/** `Warning Invalid` and so on. */
const told = (notes: readonly { type: string; reason: string }[]) =>
  notes.map(({ type, reason }) => `${type} ${reason}`);

describe("notes", () => {
  test("tell a new object that it is accepted, or why not", () => {
    expect(told(changeNotes(undefined, pending))).toEqual(["Normal Accepted"]);
    expect(told(changeNotes(undefined, invalid))).toEqual(["Warning Invalid"]);
    expect(told(changeNotes(undefined, but(missing)))).toEqual([
      "Warning BackendNotFound",
      "Normal Accepted",
    ]);
  });

  test("tell a problem once, and again when it changes", () => {
    expect(told(changeNotes(well, but(missing)))).toEqual(["Warning BackendNotFound"]);
    expect(changeNotes(but(missing), but(missing))).toEqual([]);
    expect(changeNotes(but(missing), but({ ...missing, message: "no y" }))).toEqual([
      { type: "Warning", reason: "BackendNotFound", message: "no y" },
    ]);
    expect(told(changeNotes(well, but(idle)))).toEqual(["Warning NoEndpoints"]);
    const uncovered = but({ ...idle, reason: "HostnameNotCovered" });
    expect(told(changeNotes(well, uncovered))).toEqual(["Warning HostnameNotCovered"]);
  });

  test("tell what is mended", () => {
    expect(told(changeNotes(invalid, well))).toEqual(["Normal Accepted"]);
    expect(told(changeNotes(but(idle), well))).toEqual(["Normal ResolvedRefs"]);
    expect(told(changeNotes(but(missing), but(idle)))).toEqual(["Warning NoEndpoints"]);
  });

  test("do not tell of waiting, and of one thing twice", () => {
    expect(changeNotes(well, pending)).toEqual([]);
    expect(changeNotes(pending, well)).toEqual([]);
    expect(told(problemNotes(invalid))).toEqual(["Warning Invalid"]);
    expect(problemNotes(well)).toEqual([]);
  });
});
