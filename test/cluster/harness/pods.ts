/** Pods without a kubelet: network namespaces with addresses of their own, and a real uWSGI in each. Only root can make them. */
import { onStopAll } from "../../harness/cleanup.ts";
import { waitUntilListening } from "../../harness/processes.ts";
import { programPath } from "../../harness/programs.ts";
import { startUwsgi, type Uwsgi, type UwsgiOptions } from "../../harness/uwsgi.ts";
import { interfaceName, ip, podNamespacePrefix, podNetwork } from "./network.ts";

export const POD_PORT = 29_000;
const INTERFACE = "eth0";

export interface PodOptions extends Pick<UwsgiOptions, "app" | "processes" | "options" | "env"> {
  /** Unique among this process's pods that have not been stopped. The app finds it in POD_NAME, and the address in POD_IP. */
  readonly name: string;
  /** On `podNetwork()`; by default one that no pod had yet. A stopped pod's address can be given to a new one. */
  readonly ip?: string;
  /** Where uWSGI listens; 29000 by default. */
  readonly port?: number;
}

export interface Pod {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  /** `IP:PORT`. */
  readonly address: string;
  /** The network namespace's name, for `ip netns`. */
  readonly namespace: string;
  readonly uwsgi: Uwsgi;
  /** Packets to and from it are lost, as when its node is cut off: connections hang, and nothing is refused. */
  unplug(): Promise<void>;
  plugIn(): Promise<void>;
  /** Ends uWSGI and takes the address away. */
  stop(): Promise<void>;
}

export async function startPod(options: PodOptions): Promise<Pod> {
  const network = await podNetwork();
  const address = options.ip ?? network.freeAddress();
  const host = address.split(".").at(-1)!;
  if (address !== `${network.prefix}.${host}`) throw new Error(`${address} is not on ${network.prefix}.0/24`);
  const port = options.port ?? POD_PORT;
  const namespace = `${podNamespacePrefix(process.pid)}${options.name}`;
  const link = interfaceName(network.prefix, `v${host}`);

  await ip("netns", "add", namespace);
  let linked = false;
  const remove = onStopAll(async () => {
    // The kernel would take it away with the namespace, but later, and its name may be wanted again at once.
    if (linked) await ip("link", "delete", link);
    await ip("netns", "delete", namespace);
  });
  try {
    await ip("link", "add", link, "type", "veth", "peer", "name", INTERFACE, "netns", namespace);
    linked = true;
    await ip("link", "set", link, "master", network.bridge, "up");
    await ip("-n", namespace, "link", "set", "lo", "up");
    // The same hardware address for each pod that has this address: what the machine remembers of the last one holds.
    await ip("-n", namespace, "link", "set", INTERFACE, "address", hardwareAddress(address), "up");
    await ip("-n", namespace, "address", "add", `${address}/24`, "dev", INTERFACE);
    const { app, processes, options: words, env } = options;
    const uwsgi = await startUwsgi({
      ...(app === undefined ? {} : { app }),
      ...(processes === undefined ? {} : { processes }),
      ...(words === undefined ? {} : { options: words }),
      env: { POD_NAME: options.name, POD_IP: address, ...env },
      listen: { host: address, port },
      wrapper: [programPath("nsenter") ?? "nsenter", `--net=/run/netns/${namespace}`, "--"],
    });
    return {
      ...{ name: options.name, ip: address, port, address: uwsgi.address, namespace, uwsgi },
      unplug: async () => void (await ip("link", "set", link, "down")),
      plugIn: async () => {
        await ip("link", "set", link, "up");
        await waitUntilListening(uwsgi.process, { host: address, port });
      },
      stop: async () => {
        await uwsgi.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

function hardwareAddress(address: string): string {
  const octets = address.split(".").map((octet) => Number(octet).toString(16).padStart(2, "0"));
  // The 2 says "locally administered".
  return ["02", "75", ...octets].join(":");
}
