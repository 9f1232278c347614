import { createHash } from "node:crypto";
import type { AgentOptions, RequestOptions } from "node:https";
import { type KubeConfig, RequestContext } from "@kubernetes/client-node";
import { Agent, type buildConnector, type Dispatcher } from "undici";
import type { Clock } from "../ops/clock.ts";

/** Files (tokens, certificates) are looked at this often: they rotate while we run. */
const CREDENTIALS_FOR_MS = 10_000;
/** client-node's own default is 4 s, shorter than the pauses of a leader's lease. */
const IDLE_CONNECTION_MS = 60_000;

/** What a request needs to reach the API server as somebody. */
export interface Access {
  /** Without a slash at its end. */
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly dispatcher: Dispatcher;
}

interface Connections {
  readonly fingerprint: string;
  readonly dispatcher: Dispatcher;
}

/**
 * The current headers, and one dispatcher (a pool of connections) for as long as its CA and certificates stay the same: client-node
 * makes a new one on each call, and no connection would ever be used twice.
 */
export class Credentials {
  readonly #load: () => KubeConfig;
  readonly #clock: Clock;
  #config: KubeConfig;
  #current: Promise<Access> | undefined;
  #untilMs = 0;
  #connections: Connections | undefined;
  /** Replaced, with watches still on them. */
  readonly #former = new Set<Dispatcher>();

  /** Throws what `load` throws. */
  constructor(load: () => KubeConfig, clock: Clock) {
    this.#load = load;
    this.#clock = clock;
    this.#config = load();
  }

  /** Rejects with what client-node or `load` throws, which may quote secrets. */
  access(): Promise<Access> {
    const now = this.#clock.monotonicMs();
    if (this.#current === undefined || now >= this.#untilMs) {
      this.#untilMs = now + CREDENTIALS_FOR_MS;
      const current = this.#read();
      current.catch(() => {
        if (this.#current === current) this.#current = undefined;
      });
      this.#current = current;
    }
    return this.#current;
  }

  /** After a 401: everything is read anew, the kubeconfig too. `used` is what was refused: others may have been quicker. */
  async refused(used: Access): Promise<void> {
    if ((await this.#current?.catch(() => undefined)) !== used) return;
    this.#current = undefined;
    try {
      this.#config = this.#load();
    } catch {
      // Half written, or gone: the one before goes on, and the next refusal looks again.
    }
  }

  /** Ends the connections, once no request is under way. */
  async close(): Promise<void> {
    const all = [...this.#former, ...(this.#connections ? [this.#connections.dispatcher] : [])];
    this.#current = this.#connections = undefined;
    this.#former.clear();
    // Bun's own undici has no `destroy`, nor connections to end.
    await Promise.all(all.map((dispatcher) => dispatcher.destroy?.()));
  }

  async #read(): Promise<Access> {
    const config = this.#config;
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const context = new RequestContext(config.getCurrentCluster()!.server, "GET");
    await config.applySecurityAuthentication(context);
    return {
      server: config.getCurrentCluster()!.server.replace(/\/+$/, ""),
      headers: context.getHeaders(),
      dispatcher: this.#dispatcher(config, options, context.getDispatcher()),
    };
  }

  #dispatcher(config: KubeConfig, options: RequestOptions, offered: Dispatcher | undefined): Dispatcher {
    const wanted = config.createDispatcherOptions(config.getCurrentCluster(), options as AgentOptions);
    const fingerprint = createHash("sha256").update(JSON.stringify(wanted)).digest("hex");
    const before = this.#connections;
    if (before?.fingerprint === fingerprint) return before.dispatcher;
    const isDirect = wanted.type === "agent" || wanted.type === "none";
    const dispatcher = isDirect || offered === undefined ? direct(wanted) : offered;
    this.#connections = { fingerprint, dispatcher };
    if (before !== undefined) this.#retire(before.dispatcher);
    return dispatcher;
  }

  /** What is under way on it goes on to its end. */
  #retire(dispatcher: Dispatcher): void {
    this.#former.add(dispatcher);
    const gone = () => this.#former.delete(dispatcher);
    dispatcher.close?.().then(gone, gone);
  }
}

type DispatcherOptions = ReturnType<KubeConfig["createDispatcherOptions"]>;

/** HTTP/1.1: a connection per watch. On one HTTP/2 connection, one loss would stop all watches at once. */
function direct(wanted: DispatcherOptions): Dispatcher {
  const connect = "connect" in wanted ? { connect: wanted.connect as buildConnector.BuildOptions } : {};
  return new Agent({ ...connect, allowH2: false, keepAliveTimeout: IDLE_CONNECTION_MS });
}
