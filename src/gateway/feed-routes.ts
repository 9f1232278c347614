/** `--feed`: the tables that a controller sends, and the last of them from disk until one can be reached. */
import { hostname } from "node:os";
import { readSnapshotFile, SnapshotFile } from "../feed/snapshot-file.ts";
import { type ConnectionState, FeedSubscriber } from "../feed/subscriber.ts";
import type { RouteSource } from "../ops/route-source.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { Routes, RoutesParts } from "./routes.ts";

type FeedSource = Extract<RouteSource, { readonly type: "feed" }>;

export class FeedRoutes implements Routes {
  readonly #source: FeedSource;
  readonly #parts: RoutesParts;
  readonly #file: SnapshotFile | undefined;
  #subscriber: FeedSubscriber | undefined;
  #state: ConnectionState = { type: "lost", reason: "not connected yet" };

  constructor(source: FeedSource, parts: RoutesParts) {
    this.#source = source;
    this.#parts = parts;
    if (source.snapshotFile !== undefined) {
      this.#file = new SnapshotFile(source.snapshotFile, (err) =>
        parts.log.error({ err }, "cannot keep the table on disk"),
      );
    }
  }

  async start(): Promise<void> {
    const { address, tls } = this.#source;
    const snapshot = await this.#fromDisk();
    this.#parts.metrics.feedConnected(false);
    this.#subscriber = new FeedSubscriber({
      address,
      ...(tls === undefined ? {} : { tls }),
      name: hostname(),
      ...(snapshot === undefined ? {} : { snapshot }),
      onSnapshot: async (next) => {
        await this.#parts.apply(next);
        this.#file?.keep(next);
      },
      onConnection: (state) => this.#note(state),
      random: Math.random,
    });
    this.#subscriber.start();
  }

  page(): Record<string, unknown> {
    return { controller: this.#state };
  }

  async close(): Promise<void> {
    await this.#subscriber?.close();
    await this.#file?.close();
  }

  async #fromDisk(): Promise<Snapshot | undefined> {
    const { snapshotFile } = this.#source;
    if (snapshotFile === undefined) return undefined;
    const { log, apply } = this.#parts;
    try {
      const snapshot = readSnapshotFile(snapshotFile);
      if (snapshot === undefined) return undefined;
      await apply(snapshot);
      log.info({ file: snapshotFile, version: snapshot.version }, "serving the table of an earlier run");
      return snapshot;
    } catch (error) {
      log.warn({ file: snapshotFile, reason: (error as Error).message }, "cannot use the table on disk");
      return undefined;
    }
  }

  /** The same reason again, while the controller stays away, is no news. */
  #note(state: ConnectionState): void {
    const { log, metrics } = this.#parts;
    const before = this.#state;
    this.#state = state;
    metrics.feedConnected(state.type === "connected");
    if (state.type === "connected") log.info("connected to the controller");
    else if (before.type === "connected" || before.reason !== state.reason) {
      log.warn({ reason: state.reason }, "no controller; the table stays as it is");
    }
  }
}
