/** A main's options: command line first, then environment, then default. commander parses; this names and reads them. */

import { Command, CommanderError, Option } from "commander";
import { parseDurationMs, parseWhole } from "./quantity.ts";

/** Options that cannot be used; `message` names the option and where it came from. */
export class OptionsError extends Error {
  override name = "OptionsError";
}

export type Parsed<Options> =
  | { readonly type: "run"; readonly options: Options }
  /** `--help` or `--version` was asked for: print it and exit 0. */
  | { readonly type: "print"; readonly text: string };

export type Environment = Readonly<Record<string, string | undefined>>;

const ENV_PREFIX = "UWSGI_GATEWAY_";

export function environmentName(longFlag: string): string {
  return ENV_PREFIX + longFlag.replace(/^--/, "").replaceAll("-", "_").toUpperCase();
}

export interface CommandText {
  readonly name: string;
  readonly description: string;
  readonly version: string;
  /** Printed after the list of options. */
  readonly epilogue: string;
}

type KeyOf<Options> = Extract<keyof Options, string>;

/** The command of a main whose options are the fields of `Options`. */
export class OptionsCommand<Options extends object> {
  readonly #command: Command;

  constructor({ name, description, version, epilogue }: CommandText) {
    this.#command = new Command(name)
      .description(description)
      .version(version)
      .allowExcessArguments(false)
      .addHelpText("after", epilogue);
  }

  /** Without a fallback the field is absent unless it is given. `shown` is how help writes the fallback. */
  add<K extends KeyOf<Options>>(
    key: K,
    flags: string,
    text: string,
    parse: (value: string) => Options[K],
    fallback?: Options[K],
    shown?: string,
  ): void {
    const option = new Option(flags, text).argParser((value: string) => complaining(parse, value));
    this.#addNamed(key, fallback === undefined ? option : option.default(fallback, shown));
  }

  /** A repeatable option: the first use replaces the fallback, each further one and each comma adds. */
  addList<T>(
    key: KeyOf<Options>,
    flags: string,
    text: string,
    parse: (value: string) => T,
    fallback: readonly T[],
    shown: string,
  ): void {
    const option = new Option(flags, text).default(fallback, shown);
    option.argParser((value: string, previous: readonly T[] | undefined) => {
      const added = value.split(",").map((item) => complaining(parse, item.trim()));
      return previous === undefined || previous === fallback ? added : [...previous, ...added];
    });
    this.#addNamed(key, option);
  }

  addFlag(key: KeyOf<Options>, flag: string, text: string): void {
    this.#addNamed(key, new Option(flag, text).default(false));
  }

  /**
   * Reads `argv` (without the runtime and the script) and the environment. Repeatable options take commas as
   * well, which is how the environment says more than one. Throws `OptionsError`.
   */
  parse(argv: readonly string[], env: Environment): Parsed<Options> {
    let printed = "";
    let complaint = "";
    this.#command
      .exitOverride()
      .configureOutput({ writeOut: (text) => (printed += text), writeErr: (text) => (complaint += text) });
    try {
      this.#command.parse(argv, { from: "user" });
    } catch (error) {
      if (error instanceof CommanderError && error.exitCode === 0) return { type: "print", text: printed };
      throw new OptionsError(complaint.trim() || String(error));
    }
    for (const option of this.#command.options) this.#readEnvironment(option, env);
    return { type: "run", options: this.#command.opts<Options>() };
  }

  /** Under the name of its field, which says the unit, rather than under that of the flag. */
  #addNamed(key: string, option: Option): void {
    option.attributeName = () => key;
    this.#command.addOption(option);
  }

  /** Not commander's own `env()`, which reads the global environment. */
  #readEnvironment(option: Option, env: Environment): void {
    const key = option.attributeName();
    const text = env[environmentName(option.long!)];
    if (text === undefined || text === "" || this.#command.getOptionValueSource(key) === "cli") return;
    try {
      const parse = option.isBoolean() ? parseBoolean : option.parseArg;
      this.#command.setOptionValueWithSource(key, parse ? parse(text, undefined as never) : text, "env");
    } catch (error) {
      throw new OptionsError(
        `error: option '${option.flags}' value '${text}' from env '${environmentName(option.long!)}' is invalid. ${(error as Error).message}`,
      );
    }
  }
}

/** commander adds the option's name to errors with its own code, and to no others. */
function complaining<T>(parse: (value: string) => T, value: string): T {
  try {
    return parse(value);
  } catch (error) {
    throw new CommanderError(2, "commander.invalidArgument", `${(error as Error).message}.`);
  }
}

export function whole(min: number, max: number): (text: string) => number {
  return (text) => parseWhole(text, min, max);
}

export function oneOf<T extends string>(values: readonly T[]): (text: string) => T {
  return (text) => {
    if (!values.includes(text as T)) throw new RangeError(`expected one of ${values.join(", ")}`);
    return text as T;
  };
}

export function positiveTime(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === 0) throw new RangeError("expected more than 0");
  return ms;
}

export function nonEmpty(text: string): string {
  if (text === "") throw new RangeError("expected a path");
  return text;
}

function parseBoolean(text: string): boolean {
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  throw new RangeError("expected true or false");
}
