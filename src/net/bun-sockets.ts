/** Bun's TCP and Unix sockets behind the `Stream` interface. Handlers are shared by all sockets of a kind. */
import { formatListenAddress, type ListenAddress } from "../ops/quantity.ts";
import type { Dialer, DialOwner, DialTarget, Stream, StreamOwner } from "./stream.ts";
import { UnixListeners } from "./unix-listeners.ts";

export interface Listener {
  readonly port: number;
  /** Accepts no more; open connections stay. */
  close(): void;
}

const nobody: StreamOwner = { received() {}, writable() {}, ended() {}, closed() {} };

/** A mistake of ours that surfaced while one connection was served: it costs that connection, and is told. */
export type ReportFault = (error: unknown) => void;

/**
 * Accepts connections; `accept` names the owner of each. `reusePort` lets several processes share the port, with the
 * kernel spreading connections over them. Throws an error with the address and the system's `code` (EADDRINUSE, EACCES …).
 */
export function listen(
  address: ListenAddress,
  reusePort: boolean,
  accept: (stream: Stream) => StreamOwner,
  reportFault: ReportFault,
): Listener {
  const options: Bun.TCPSocketListenOptions<StreamOwner> & { reusePort: boolean } = {
    hostname: address.hostname,
    port: address.port,
    reusePort,
    allowHalfOpen: true,
    socket: {
      ...ownerHandlers<StreamOwner>(reportFault),
      open(socket) {
        // Whatever comes next, `close` finds an owner.
        socket.data = nobody;
        // The peer reset the connection before it was accepted, as health probes of load balancers do.
        if (socket.remoteAddress === undefined) {
          socket.terminate();
          return;
        }
        try {
          socket.data = accept(asStream(socket));
        } catch (error) {
          reportFault(error);
          socket.terminate();
        }
      },
      end(socket) {
        try {
          socket.data.ended();
        } catch (error) {
          reportFault(error);
          socket.terminate();
        }
      },
    },
  };
  const listener = bound(options);
  return { port: listener.port, close: () => listener.stop(false) };
}

/** The runtime's own message says neither the port nor the cause. */
function bound(options: Bun.TCPSocketListenOptions<StreamOwner>): Bun.TCPSocketListener<StreamOwner> {
  try {
    return Bun.listen<StreamOwner>(options);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const text = `cannot listen at ${formatListenAddress(options)}: ${code ?? message}`;
    throw Object.assign(new Error(text, { cause: error }), { code });
  }
}

/** Connects without half-open: an upstream's FIN is the end of the connection. */
export function createDialer(reportFault: ReportFault): Dialer {
  const unixListeners = new UnixListeners();
  const socket: Bun.SocketHandler<DialOwner> = {
    ...ownerHandlers<DialOwner>(reportFault),
    open(opened) {
      const { target } = opened.data;
      if ("unix" in target) unixListeners.connected(target.unix);
      try {
        opened.data.connected(asStream(opened));
      } catch (error) {
        reportFault(error);
        opened.terminate();
      }
    },
    connectError(failed, error) {
      const owner = failed.data;
      const code = (error as NodeJS.ErrnoException).code ?? "EUNKNOWN";
      const { target } = owner;
      const isBusy =
        code === "ECONNREFUSED" && "unix" in target && unixListeners.has(target.unix, performance.now());
      try {
        owner.dialFailed(isBusy ? "EAGAIN" : code);
      } catch (fault) {
        reportFault(fault);
      }
    },
  };
  return {
    dial(target: DialTarget, data: DialOwner): void {
      // The promises settle without us: `open` and `connectError` say the same, and earlier.
      if ("unix" in target) Bun.connect({ unix: target.unix, data, socket });
      else Bun.connect({ hostname: target.hostname, port: target.port, data, socket });
    },
  };
}

function ownerHandlers<Owner extends StreamOwner>(reportFault: ReportFault) {
  return {
    data(socket: Bun.Socket<Owner>, bytes: Buffer): void {
      try {
        socket.data.received(bytes);
      } catch (error) {
        reportFault(error);
        socket.terminate();
      }
    },
    drain(socket: Bun.Socket<Owner>): void {
      try {
        socket.data.writable();
      } catch (error) {
        reportFault(error);
        socket.terminate();
      }
    },
    close(socket: Bun.Socket<Owner>, error?: Error): void {
      try {
        socket.data.closed(error);
      } catch (fault) {
        reportFault(fault);
      }
    },
  };
}

/** Bun's sockets have `close`, its types do not: unlike `end`, it does not try to flush first. */
function asStream(socket: Bun.Socket<StreamOwner> | Bun.Socket<DialOwner>): Stream {
  return socket as unknown as Stream;
}
