/** What is asked of the servers. */
import { join } from "node:path";
import type { Kind } from "./contenders.ts";

export interface Case {
  readonly name: string;
  readonly title: string;
  readonly kind: Kind;
  /** After the contender's base address. */
  readonly path: string;
  readonly script?: string;
  readonly connections: number;
}

export const CASES: readonly Case[] = [
  { name: "unix", title: "small GET, Unix socket", kind: "unix", path: "/small", connections: 32 },
  { name: "tcp", title: "small GET, TCP", kind: "tcp", path: "/small", connections: 32 },
  { name: "large", title: "64 KiB GET", kind: "unix", path: "/large", connections: 32 },
  {
    name: "upload",
    title: "1 MiB upload",
    kind: "unix",
    path: "/upload",
    script: join(import.meta.dirname, "upload.lua"),
    connections: 32,
  },
  { name: "static4k", title: "static 4 KiB", kind: "static", path: "/4k.html", connections: 32 },
  { name: "static10m", title: "static 10 MiB", kind: "static", path: "/10m.bin", connections: 32 },
];

export const LOGGED_CASE: Case = {
  name: "log",
  title: "small GET, Unix socket, access log to a file",
  kind: "unix",
  path: "/small",
  connections: 32,
};

export const ROUTE_COUNTS = [1, 1_000, 10_000] as const;
