/**
 * The controller's end of the feed: gives every subscriber the newest snapshot, as a delta where it has one to apply it to, and
 * keeps what each answered. A slow subscriber holds back only itself, and gets the newest when it is ready, not what was
 * in between.
 */
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { FeedAddress, FeedTls } from "../ops/feed-address.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { Subscription, type SubscriptionState } from "./subscription.ts";
import { readTls } from "./tls-files.ts";

const MAX_SUBSCRIBERS = 1024;
/** The proxy beside us runs as the same user or group. */
const SOCKET_MODE = 0o660;

export interface PublisherOptions {
  readonly addresses: readonly FeedAddress[];
  /** For the TCP ones. */
  readonly tls?: FeedTls;
  /** A subscriber came, went or answered. */
  readonly onChange: () => void;
  /** A subscriber that broke the protocol, or could not be let in. */
  readonly onError: (error: Error) => void;
}

export class FeedPublisher {
  readonly #options: PublisherOptions;
  readonly #servers: Server[] = [];
  readonly #subscriptions = new Set<Subscription>();
  #snapshot: Snapshot | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Rejects with the system's error where an address cannot be had. */
  async listen(): Promise<void> {
    for (const address of this.#options.addresses) {
      const server = this.#server(address);
      this.#servers.push(server);
      await listening(server, address);
      if (address.type === "unix") chmodSync(address.path, SOCKET_MODE);
    }
  }

  publish(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    for (const subscription of this.#subscriptions) subscription.offer(snapshot);
  }

  /** Of those who said who they are. */
  states(): readonly SubscriptionState[] {
    return [...this.#subscriptions].flatMap((subscription) => subscription.state() ?? []);
  }

  async close(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const subscription of this.#subscriptions) subscription.close();
    await Promise.all(closed);
  }

  #server(address: FeedAddress): Server {
    const accept = (socket: Socket) => this.#accept(socket);
    if (address.type === "unix") return createServer(accept);
    const { tls } = this.#options;
    if (tls === undefined) throw new Error("a feed over TCP needs certificates");
    const server = createTlsServer(
      { ...readTls(tls), requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3" },
      accept,
    );
    server.on("tlsClientError", (error) => this.#options.onError(error));
    return server;
  }

  #accept(socket: Socket): void {
    if (this.#subscriptions.size >= MAX_SUBSCRIBERS) {
      this.#options.onError(new Error(`more than ${MAX_SUBSCRIBERS} subscribers`));
      socket.destroy();
      return;
    }
    const subscription = new Subscription(socket, {
      onChange: this.#options.onChange,
      onClosed: (error) => {
        this.#subscriptions.delete(subscription);
        if (error !== undefined) this.#options.onError(error);
        this.#options.onChange();
      },
    });
    this.#subscriptions.add(subscription);
    if (this.#snapshot !== undefined) subscription.offer(this.#snapshot);
  }
}

function listening(server: Server, address: FeedAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const done = () => {
      server.removeListener("error", reject);
      resolve();
    };
    if (address.type === "tcp") {
      server.listen(address.port, address.hostname, done);
    } else {
      // Of a controller before us: whoever may write the folder could do that anyway.
      rmSync(address.path, { force: true });
      server.listen(address.path, done);
    }
  });
}
