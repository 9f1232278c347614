/**
 * The process's own log: pino's JSON lines. Nothing that a client sent and nothing secret belongs in here; the
 * access log is for requests.
 */

import { type Logger, pino } from "pino";
import type { LineSink } from "./line-sink.ts";

export type { Logger };

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `fields` are on every line, such as `{ worker: 2 }`. Levels are pino's numbers, `time` is epoch milliseconds. */
export function createLogger(
  level: LogLevel,
  fields: Readonly<Record<string, unknown>>,
  sink: LineSink,
): Logger {
  const urgent = pino.levels.values.error!;
  return pino(
    { level, base: { ...fields } },
    {
      write(line: string) {
        sink.write(toAscii(line));
        if (levelOf(line) >= urgent) sink.flush();
      },
    },
  );
}

/** The sink counts characters as bytes. Outside ASCII a JSON text has nothing but string contents. */
function toAscii(line: string): string {
  return line.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** pino begins each line with `{"level":NN`. */
function levelOf(line: string): number {
  return Number.parseInt(line.slice('{"level":'.length), 10);
}
