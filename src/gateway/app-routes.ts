/** `--uwsgi` and `--static`: the common case of a sidecar, one app for every host, without a manifest. */

import type { RouteSource } from "../ops/route-source.ts";
import { parseObject } from "../resources/parse.ts";
import { FOLDER_OPTIONS } from "../translate/options.ts";
import { translate } from "../translate/translate.ts";
import { type Routes, type RoutesParts, SourceError } from "./routes.ts";

type AppSource = Extract<RouteSource, { readonly type: "app" }>;

export class AppRoutes implements Routes {
  readonly #source: AppSource;
  readonly #parts: RoutesParts;

  constructor(source: AppSource, parts: RoutesParts) {
    this.#source = source;
    this.#parts = parts;
  }

  async start(): Promise<void> {
    const parsed = parseObject(appRoute(this.#source));
    if (parsed.type !== "object") {
      const problems = parsed.type === "invalid" ? parsed.problems : [];
      const text = problems.map(({ field, message }) => `${field} ${message}`).join("; ");
      throw new SourceError(`option '--uwsgi' or '--static' is invalid. ${text}`);
    }
    const { snapshot } = translate({ objects: [{ object: parsed.object }], invalid: [] }, FOLDER_OPTIONS);
    await this.#parts.apply(snapshot);
  }

  page(): Record<string, unknown> {
    return { problems: [] };
  }

  async close(): Promise<void> {}
}

/** As a manifest would say it. */
export function appRoute({ uwsgi, files }: AppSource): object {
  const folders = files.map(({ prefix, root }) => ({
    matches: [{ path: { type: "PathPrefix", value: prefix } }],
    static: { root, stripPrefix: true },
  }));
  const app = uwsgi.length === 0 ? [] : [{ backendRefs: uwsgi.map((socket) => ({ socket })) }];
  return {
    apiVersion: "uwsgi-gateway.io/v1alpha1",
    kind: "UwsgiRoute",
    metadata: { name: "app" },
    spec: { rules: [...folders, ...app] },
  };
}
