/**
 * Proves that an app may answer without reading the request's body (section 5 of the wire rules): it closes its socket with bytes unread, which
 * breaks the connection under the sender, and the answer must be read all the same.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { rawExchange, stopAll } from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import type { RuleId } from "./rules.ts";
import { type Pair, request, runCases, startPair } from "./side-by-side.ts";

afterAll(stopAll);

const RULE: RuleId = "unread-body";
const LARGE = "b".repeat(3_000_000);

/** Of NGINX's requests, every second to fifth fails: where its next write comes before it has seen the answer. */
const NGINX_ATTEMPTS = 200;
const MANY = 30;

for (const buffering of [true, false]) {
  describeWith(["uwsgi", "nginx"], buffering ? "gathered first" : "streamed", () => {
    let pair: Pair;
    beforeAll(async () => {
      pair = await startPair({
        location: `client_max_body_size 4m; uwsgi_request_buffering ${buffering ? "on" : "off"};`,
        rule: { request: { buffering, maxBodySize: "4Mi" } },
      });
    });

    runCases(
      () => pair,
      [
        {
          name: "a few bytes",
          send: request("POST", "/unread", [], "hi"),
          same: { status: 403, body: "no\n", ending: "open" },
        },
      ],
    );

    /** The status of one large request; 0 where the answer was cut short or there was none. */
    async function status(port: number): Promise<number> {
      const { responses } = await rawExchange(port, request("POST", "/unread", [], LARGE), { lingerMs: 0 });
      return responses[0]?.complete === true ? responses[0].status : 0;
    }

    test(`3 MB — differs: ${RULE}`, async () => {
      let attempts = 0;
      while ((await status(pair.nginx.port)) !== 502) expect(++attempts).toBeLessThan(NGINX_ATTEMPTS);
      for (let i = 0; i < MANY; i++) expect(await status(pair.gateway.port)).toBe(403);
    });
  });
}
