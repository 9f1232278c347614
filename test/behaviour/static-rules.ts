/** The rules of files that the gateway serves itself, which `docs/static-files.md` tells at length; see `rules.ts`. */
import type { Rule } from "./rules.ts";

export const STATIC_RULES = {
  "static-symlink": {
    section: 5,
    nginx: "follows a symlink out of a static rule's folder",
    gateway: "404",
    why: "What is outside of the folder was not meant to be served.",
  },
  "static-dot-file": {
    section: 5,
    nginx: "serves files whose name begins with a dot",
    gateway: "404, unless the rule says `dotFiles: true`",
    why: "`.git` and `.env` are nobody's business.",
  },
  "static-modified-since": {
    section: 5,
    nginx: "takes only the very date of the file in If-Modified-Since for met",
    gateway: "304 for any date that is not before the file's",
    why: "RFC 9110 section 13.1.3.",
  },
  "static-412": {
    section: 5,
    nginx: "closes the connection after a 412",
    gateway: "leaves it open",
    why: "Nothing is wrong with the connection.",
  },
  "static-head-range": {
    section: 5,
    nginx: "answers 206 to HEAD with Range",
    gateway: "200",
    why: "Range is defined for GET alone (RFC 9110 section 14.2).",
  },
  "static-range-syntax": {
    section: 5,
    nginx: "sends the whole file for `Range: bytes=`, and 416 for a list with an empty element",
    gateway: "416 for the first, and skips the empty element",
    why: "RFC 9110 sections 5.6.1 and 14.2.",
  },
  "static-compressed": {
    section: 5,
    nginx: "gives a `.gz` file the plain ETag of its time and size, and ignores Range for it",
    gateway: "puts the coding into the ETag, and serves ranges",
    why: "Two codings of one file need two tags (RFC 9110 section 8.8.3.3), and ranges count what is sent.",
  },
  "static-encoding": {
    section: 5,
    nginx: "overlooks the weights of Accept-Encoding, `*` and `x-gzip`, and compresses for HTTP/1.1 alone",
    gateway: "heeds them, for any version",
    why: "RFC 9110 section 12.5.3.",
  },
  "static-compressed-old": {
    section: 5,
    nginx: "sends a compressed file that is older than its original",
    gateway: "sends the original, if the other is older by more than a minute",
    why: "The original was edited, and nobody compressed it again.",
  },
  "static-redirect": {
    section: 5,
    nginx: "sends a folder without its slash to an absolute Location made of the Host",
    gateway: "sends it to a path",
    why: "What the client calls the site, and its scheme and port, cannot go wrong then.",
  },
  "static-method": {
    section: 5,
    nginx: "answers 404 for another method than GET and HEAD where no file is",
    gateway: "405",
    why: "The rule does not take that method, whatever is there.",
  },
} as const satisfies Readonly<Record<string, Rule>>;
