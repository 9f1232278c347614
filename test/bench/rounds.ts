/** Alternating rounds: in each, every contender is asked once, in an order that turns from round to round. */
import type { Case } from "./cases.ts";
import type { Contender } from "./contenders.ts";
import { median, medianRatio } from "./statistics.ts";
import { measure, type Sample } from "./wrk.ts";

export interface RoundOptions {
  readonly rounds: number;
  readonly seconds: number;
}

/** One line of a table. */
export interface Line {
  readonly title: string;
  readonly contender: string;
  readonly cpuUsPerRequest: number;
  /** Median of the rounds' ratios to the first contender; so are the other ratios. */
  readonly cpuRatio: number;
  /** Of the rounds, the lowest and the highest. */
  readonly cpuRatioRange: readonly [number, number];
  readonly requestsPerSecond: number;
  readonly requestsRatio: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p99Ratio: number;
  readonly rssBytes: number;
  readonly errors: number;
  readonly samples: readonly Sample[];
}

/**
 * The ratios are to the first of `contenders`. Those that cannot serve the case are left out; those that should but give no
 * answer are left out too, and `complain` is told.
 */
export async function compare(
  what: Case,
  contenders: readonly Contender[],
  options: RoundOptions,
  complain: (message: string) => void,
  host?: (contender: Contender) => string,
): Promise<Line[]> {
  const ask = (contender: Contender, seconds: number) =>
    measure(contender.pid, {
      url: contender.base(what.kind)! + what.path,
      seconds,
      connections: what.connections,
      ...(what.script === undefined ? {} : { script: what.script }),
      ...(host === undefined ? {} : { host: host(contender) }),
    });
  const able: Contender[] = [];
  for (const contender of contenders.filter((each) => each.base(what.kind) !== undefined)) {
    try {
      await ask(contender, 1);
      able.push(contender);
    } catch (error) {
      complain(`${what.title}: ${contender.name} gave no answer`);
      process.stderr.write(`${error}\n`);
    }
  }
  const samples = new Map<Contender, Sample[]>(able.map((contender) => [contender, []]));
  for (let round = 0; round < options.rounds; round++) {
    for (let turn = 0; turn < able.length; turn++) {
      const contender = able[(round + turn) % able.length]!;
      samples.get(contender)!.push(await ask(contender, options.seconds));
    }
    process.stderr.write(`${what.title}: round ${round + 1} of ${options.rounds}\n`);
  }
  return able.map((contender) =>
    summarize(what.title, contender, samples.get(contender)!, samples.get(able[0]!)!),
  );
}

function summarize(title: string, contender: Contender, own: Sample[], base: Sample[]): Line {
  const values = (pick: (sample: Sample) => number, of = own) => of.map(pick);
  const middle = (pick: (sample: Sample) => number) => median(values(pick));
  const ratio = (pick: (sample: Sample) => number) => medianRatio(values(pick), values(pick, base));
  const cpuRatios = own.map((sample, round) => sample.cpuUsPerRequest / base[round]!.cpuUsPerRequest);
  return {
    title,
    contender: contender.name,
    cpuUsPerRequest: middle((sample) => sample.cpuUsPerRequest),
    cpuRatio: ratio((sample) => sample.cpuUsPerRequest),
    cpuRatioRange: [Math.min(...cpuRatios), Math.max(...cpuRatios)],
    requestsPerSecond: middle((sample) => sample.requestsPerSecond),
    requestsRatio: ratio((sample) => sample.requestsPerSecond),
    p50Ms: middle((sample) => sample.p50Ms),
    p99Ms: middle((sample) => sample.p99Ms),
    p99Ratio: ratio((sample) => sample.p99Ms),
    rssBytes: Math.max(...values((sample) => sample.rssBytes)),
    errors: own.reduce((sum, sample) => sum + sample.errors, 0),
    samples: own,
  };
}
