/** Where a gateway's tables come from, one implementation for each kind of source. */

import type { Logger } from "../ops/log.ts";
import type { Metrics } from "../ops/metrics.ts";
import type { RouteSource } from "../ops/route-source.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { AppRoutes } from "./app-routes.ts";
import { FeedRoutes } from "./feed-routes.ts";
import { FolderRoutes } from "./folder-routes.ts";

export interface Routes {
  /** Resolves when the first table was handed over, or is being waited for. Throws `SourceError`. */
  start(): Promise<void>;
  /** For `/routes`: what is wrong, and with what. */
  page(): Record<string, unknown>;
  close(): Promise<void>;
}

export interface RoutesParts {
  /** Puts a table in force. Rejects where no worker can use it; the one before stays. */
  readonly apply: (snapshot: Snapshot) => Promise<void>;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly allowUwsgiScript: boolean;
}

/** The source cannot be used at all; `message` names the option. */
export class SourceError extends Error {
  override name = "SourceError";
}

export function routesFrom(source: RouteSource, parts: RoutesParts): Routes {
  switch (source.type) {
    case "folder":
      return new FolderRoutes(source.folder, parts);
    case "feed":
      return new FeedRoutes(source, parts);
    case "app":
      return new AppRoutes(source, parts);
  }
}
