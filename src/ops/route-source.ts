/** Where a proxy's routes come from: the options that say so, made one value. */

import { nonEmpty, type OptionsCommand, OptionsError } from "./command.ts";
import { type FeedAddress, type FeedTls, feedTls, parseFeedAddress } from "./feed-address.ts";

/** Where routes come from. */
export type RouteSource =
  /** A folder of manifests to serve and to watch. */
  | { readonly type: "folder"; readonly folder: string }
  /** A controller; and, until it can be reached, the last snapshot on disk. */
  | {
      readonly type: "feed";
      readonly address: FeedAddress;
      readonly tls?: FeedTls;
      readonly snapshotFile?: string;
    }
  /** One app for every host, and folders of files in front of it. */
  | {
      readonly type: "app";
      /** `unix:/path` or `HOST:PORT`; several share the requests. */
      readonly uwsgi: readonly string[];
      readonly files: readonly StaticFolder[];
    };

export interface StaticFolder {
  /** Of the path, with the slashes that were given. */
  readonly prefix: string;
  readonly root: string;
}

export interface SourceFlags {
  readonly manifests?: string;
  readonly feed?: FeedAddress;
  readonly feedTlsCert?: string;
  readonly feedTlsKey?: string;
  readonly feedTlsCa?: string;
  readonly snapshotFile?: string;
  readonly uwsgi: readonly string[];
  readonly static: readonly StaticFolder[];
}

/** The options that say where routes come from, and all others. */
export function splitFlags<Options extends SourceFlags>(
  options: Options,
): { sourceFlags: SourceFlags; rest: Omit<Options, keyof SourceFlags> } {
  const {
    manifests,
    feed,
    feedTlsCert,
    feedTlsKey,
    feedTlsCa,
    snapshotFile,
    uwsgi,
    static: files,
    ...rest
  } = options;
  const sourceFlags = {
    manifests,
    feed,
    feedTlsCert,
    feedTlsKey,
    feedTlsCa,
    snapshotFile,
    uwsgi,
    static: files,
  };
  return { sourceFlags: sourceFlags as SourceFlags, rest };
}

/** Throws `OptionsError`. */
export function routeSource(raw: SourceFlags): RouteSource {
  const { manifests, feed, snapshotFile, uwsgi, static: files } = raw;
  const given = [manifests, feed, uwsgi[0] ?? files[0]].filter((each) => each !== undefined);
  if (given.length === 0) {
    throw new OptionsError(
      "error: option '--manifests DIR' (env UWSGI_GATEWAY_MANIFESTS) is required, or --feed, or --uwsgi",
    );
  }
  if (given.length > 1) {
    throw new OptionsError(
      "error: options '--manifests', '--feed' and '--uwsgi' exclude each other: give one",
    );
  }
  if (manifests !== undefined) return { type: "folder", folder: manifests };
  if (feed === undefined) return { type: "app", uwsgi, files };
  return {
    type: "feed",
    address: feed,
    ...withTls(feed, raw),
    ...(snapshotFile === undefined ? {} : { snapshotFile }),
  };
}

function withTls(feed: FeedAddress, raw: SourceFlags): { tls?: FeedTls } {
  try {
    const tls = feedTls([feed], raw);
    return tls === undefined ? {} : { tls };
  } catch (error) {
    throw new OptionsError(`error: option '--feed' is incomplete: ${(error as Error).message}`);
  }
}

export function addSourceOptions<Options extends SourceFlags>(given: OptionsCommand<Options>): void {
  const command = given as unknown as OptionsCommand<SourceFlags>;
  command.add(
    "manifests",
    "--manifests <DIR>",
    "serve and watch this folder of Kubernetes manifests",
    nonEmpty,
  );
  command.add(
    "feed",
    "--feed <ADDRESS>",
    "serve what the controller at unix:/path or HOST:PORT says",
    parseFeedAddress,
  );
  command.add("feedTlsCert", "--feed-tls-cert <FILE>", "our certificate, for a feed over TCP", nonEmpty);
  command.add("feedTlsKey", "--feed-tls-key <FILE>", "its key", nonEmpty);
  command.add("feedTlsCa", "--feed-tls-ca <FILE>", "who signed the controller's certificate", nonEmpty);
  command.add(
    "snapshotFile",
    "--snapshot-file <FILE>",
    "keep the last table there, for a start without a controller",
    nonEmpty,
  );
  command.addList(
    "uwsgi",
    "--uwsgi <ADDRESS>",
    "serve one app, at unix:/path or HOST:PORT, without manifests; repeatable",
    nonEmpty,
    [],
    "none",
  );
  command.addList(
    "static",
    "--static <PREFIX=DIR>",
    "beside --uwsgi: serve files of DIR under a path such as /static/; repeatable",
    staticFolder,
    [],
    "none",
  );
}

/** `/static/=/srv/static`. */
function staticFolder(text: string): StaticFolder {
  const found = /^(\/[^=]*)=(\/.*)$/.exec(text);
  if (found === null) throw new RangeError("expected a path and a folder such as /static/=/srv/static");
  return { prefix: found[1]!, root: found[2]! };
}
