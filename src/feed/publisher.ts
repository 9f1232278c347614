/**
 * The controller's end of the feed: gives every subscriber the newest snapshot, as a delta where it has one to apply it to, and
 * keeps what each answered. A slow subscriber holds back only itself, and gets the newest when it is ready, not what was
 * in between.
 */
import { chmodSync, lstatSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
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
      if (address.type === "unix") await removeAbandoned(address.path);
      await listening(server, address);
      // A connection that could not be accepted is no reason to die.
      server.on("error", (error) => this.#options.onError(error));
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
    // Before the server's own listener, so that a renewed certificate is shown from the next connection on.
    server.prependListener("connection", () => {
      try {
        server.setSecureContext({ ...readTls(tls), minVersion: "TLSv1.3" });
      } catch (error) {
        this.#options.onError(error as Error);
      }
    });
    server.on("tlsClientError", (error, socket) => this.#options.onError(refusal(error, socket)));
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

/** Takes away the socket that a controller before us left. Throws where it is in use, or is no socket. */
async function removeAbandoned(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path} is no socket`);
  // The one who listens there would take ours away when it ends, and its proxies would stay with it until then.
  if (await isListening(path)) throw new Error(`another process listens at ${path}`);
  rmSync(path, { force: true });
}

/** All but a refusal may be a listener: one whose backlog is full, or one that does not let us in. */
function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code !== "ECONNREFUSED" && error.code !== "ENOENT");
    });
  });
}

/** Node ends the handshake of a certificate that it does not trust without a word about it. */
function refusal(error: Error, { authorizationError: reason, remoteAddress }: TLSSocket): Error {
  const text = reason ? `its certificate is not trusted: ${String(reason)}` : error.message;
  // A socket that is closed already does not know any more whose it was.
  return new Error(remoteAddress === undefined ? text : `${remoteAddress}: ${text}`, { cause: error });
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
      server.listen(address.path, done);
    }
  });
}
