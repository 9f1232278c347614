/** The worker's end of the IPC channel: does as its supervisor says, and goes when it goes. */

import { processUsage } from "../ops/process-metrics.ts";
import type { ListenAddress } from "../ops/quantity.ts";
import { ignoreShutdownSignals } from "../ops/shutdown.ts";
import { applyDelta } from "../snapshot/delta.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { DataPlane } from "./data-plane.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

/** Set in the environment of a worker: its number, from 1. */
export const WORKER_VARIABLE = "UWSGI_GATEWAY_WORKER";

/** This process's number as a worker; undefined when it is no worker. */
export function workerNumber(): number | undefined {
  const text = process.env[WORKER_VARIABLE];
  return text !== undefined && process.send !== undefined ? Number(text) : undefined;
}

export function runWorker(plane: DataPlane): void {
  ignoreShutdownSignals();
  process.on("disconnect", () => process.exit(1));
  process.on("message", (message) => void obey(plane, message as ToWorker));
  tell({ type: "started" });
}

async function obey(plane: DataPlane, message: ToWorker): Promise<void> {
  switch (message.type) {
    case "apply":
      tell(takeUp(plane, () => message.snapshot));
      break;
    case "apply-delta":
      tell(takeUp(plane, () => applyDelta(inUse!, message.delta)));
      break;
    case "listen":
      await listen(plane, message.addresses);
      break;
    case "report":
      tell({
        type: "report",
        request: message.request,
        report: { stats: plane.report(), usage: processUsage() },
      });
      break;
    case "ping":
      tell({ type: "pong" });
      break;
    case "drain":
      await plane.drain(message.timeoutMs);
      process.exit(0);
  }
}

/** What a delta applies to. */
let inUse: Snapshot | undefined;

function takeUp(plane: DataPlane, read: () => Snapshot): FromWorker {
  try {
    const snapshot = read();
    plane.apply(snapshot);
    inUse = snapshot;
    return { type: "ack" };
  } catch (error) {
    return { type: "nack", reason: (error as Error).message };
  }
}

async function listen(plane: DataPlane, addresses: readonly ListenAddress[]): Promise<void> {
  try {
    tell({ type: "listening", addresses: await plane.listen(addresses) });
  } catch (error) {
    tell({ type: "cannot-listen", reason: (error as Error).message });
    process.disconnect();
  }
}

function tell(message: FromWorker): void {
  // The supervisor may be gone already; "disconnect" then ends this process.
  if (process.connected) process.send!(message);
}
