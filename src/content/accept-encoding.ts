export type Encoding = "br" | "gzip" | "identity";

/** Weights from 0 (refused) to 1, for the codings that a file can be stored in. */
export interface EncodingWeights {
  readonly br: number;
  readonly gzip: number;
  readonly identity: number;
}

/** What a request without Accept-Encoding gets: any coding is allowed then, but the plain file is the safe one. */
export const PLAIN_ONLY: EncodingWeights = { br: 0, gzip: 0, identity: 1 };

/** Below any weight that can be written: the plain file is acceptable unless it is named or `*` is. */
const UNNAMED_IDENTITY = 0.0001;

/** Reads Accept-Encoding (RFC 9110 section 12.5.3). `x-gzip` is gzip; items that cannot be read count as refused. */
export function parseAcceptEncoding(value: string): EncodingWeights {
  let br: number | undefined;
  let gzip: number | undefined;
  let identity: number | undefined;
  let any: number | undefined;
  for (const item of value.toLowerCase().split(",")) {
    const semicolon = item.indexOf(";");
    const coding = (semicolon < 0 ? item : item.slice(0, semicolon)).trim();
    const weight = semicolon < 0 ? 1 : parseWeight(item.slice(semicolon + 1));
    if (coding === "br") br = weight;
    else if (coding === "gzip" || coding === "x-gzip") gzip = weight;
    else if (coding === "identity") identity = weight;
    else if (coding === "*") any = weight;
  }
  return {
    br: br ?? any ?? 0,
    gzip: gzip ?? any ?? 0,
    identity: identity ?? any ?? UNNAMED_IDENTITY,
  };
}

/** Brotli wins ties, then gzip. The plain file is the last resort even where it is refused: better than a 406. */
export function chooseEncoding(weights: EncodingWeights, hasBr: boolean, hasGzip: boolean): Encoding {
  const br = hasBr ? weights.br : 0;
  const gzip = hasGzip ? weights.gzip : 0;
  if (br > 0 && br >= gzip && br >= weights.identity) return "br";
  if (gzip > 0 && gzip >= weights.identity) return "gzip";
  return "identity";
}

function parseWeight(parameter: string): number {
  const found = /^\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*$/.exec(parameter);
  return found ? Number(found[1]) : 0;
}
