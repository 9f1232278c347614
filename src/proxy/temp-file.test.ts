/** Proves that temporary files give back what was put in, and leave no name and no descriptor behind. */
import { afterAll, describe, expect, test } from "bun:test";
import { fstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TempFile } from "./temp-file.ts";

const folder = mkdtempSync(join(tmpdir(), "temp-file-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("a temporary file", () => {
  test("gives back what was appended, at any position", () => {
    const file = new TempFile(folder);
    file.append(Buffer.from("..abc.."), 2, 5);
    file.append(Buffer.from("defg"), 0, 4);
    expect(file.length).toBe(7);
    const target = Buffer.alloc(4);
    expect(file.read(target, 0)).toBe(4);
    expect(target.toString()).toBe("abcd");
    expect(file.read(target, 5)).toBe(2);
    expect(target.toString("latin1", 0, 2)).toBe("fg");
    expect(file.read(target, 7)).toBe(0);
    file.close();
  });

  test("has no name from the start, so that nothing is left when the process dies", () => {
    const file = new TempFile(folder);
    expect(readdirSync(folder)).toEqual([]);
    file.close();
  });

  test("is the gateway's alone", () => {
    const file = new TempFile(folder);
    const { fd } = file as unknown as { fd: number };
    expect(fstatSync(fd).mode & 0o777).toBe(0o600);
    file.close();
    expect(() => fstatSync(fd)).toThrow("EBADF");
  });

  test("two at once do not mix", () => {
    const [one, two] = [new TempFile(folder), new TempFile(folder)];
    one.append(Buffer.from("one"), 0, 3);
    two.append(Buffer.from("two"), 0, 3);
    const target = Buffer.alloc(3);
    one.read(target, 0);
    expect(target.toString()).toBe("one");
    one.close();
    two.read(target, 0);
    expect(target.toString()).toBe("two");
    two.close();
  });

  test("throws the system's error where it cannot be made", () => {
    expect(() => new TempFile(join(folder, "absent"))).toThrow("ENOENT");
  });
});
