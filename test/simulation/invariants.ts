/** What must be true once everything has come to rest, whatever went wrong on the way. */
import { type HttpMessage, parseMessages } from "../harness/http-message.ts";
import { excessBytes } from "./answers.ts";
import { bodyOf, type Delivery } from "./app.ts";
import { type Client, tunnelBytes } from "./client.ts";
import { maxPieceBytes } from "./connection.ts";
import type { PlannedRequest } from "./requests.ts";
import { neverMs } from "./scenario.ts";
import type { Run } from "./simulation.ts";

const IDEMPOTENT = ["GET", "HEAD", "PUT"];

/** One sentence for each invariant that is broken. */
export function violations(run: Run): string[] {
  return [
    ...nothingIsLeft(run),
    ...run.clients.flatMap((client) => answersBelong(run, client)),
    ...eachIsLoggedOnce(run),
    ...run.deliveries.flatMap((delivery) => bodyIsIntact(run, delivery)),
    ...noUnsafeRepetition(run),
    ...slowClientsHoldAppsBack(run),
    ...slowAppsHoldClientsBack(run),
    ...appsFinishWhereTheyMay(run),
  ];
}

function nothingIsLeft({ report, clients, deliveries, faults, drained }: Run): string[] {
  const found: string[] = [];
  const gauges = Object.entries(report.gauges).filter(([, value]) => value !== 0);
  for (const [name, value] of gauges) found.push(`${name} is ${value} at rest`);
  for (const [address, { inFlight }] of report.endpoints) {
    if (inFlight !== 0) found.push(`${inFlight} requests in flight at ${address} at rest`);
  }
  for (const { connection, plan } of clients) {
    if (!connection.closedHere) found.push(`connection of client ${plan.requests[0]!.id} is not closed`);
  }
  for (const { connection, number } of deliveries) {
    if (!connection.closedHere) found.push(`connection ${number} to an app is not closed`);
  }
  for (const fault of faults) found.push(`the gateway logged an error: ${Bun.inspect(fault)}`);
  if (!drained) found.push("drain did not end");
  return found;
}

/** Responses come in the order of their requests, one each, and are what an app meant to say. */
function answersBelong(run: Run, client: Client): string[] {
  const { requests } = client.plan;
  const found: string[] = [];
  const { responses, rest } = parseMessages(client.received, client.methods());
  const last = responses.at(-1);
  const hasTunnel = last?.status === 101;
  // Who breaks off within the request line gets an answer with a body, even where it would have become HEAD.
  const isRefusal = last?.header("Connection") === "close" && [400, 408].includes(last.status);
  if (responses.length > requests.length)
    found.push(`${responses.length} responses to ${requests.length} requests`);
  if (rest.length > 0 && !hasTunnel && !isRefusal && client.end !== "reset" && client.end !== "gave_up") {
    found.push(
      `bytes behind the last response of client ${requests[0]!.id}: ${Buffer.from(rest).toString("latin1", 0, 60)}`,
    );
  }
  responses.forEach((response, i) => {
    const request = requests[i];
    if (request === undefined) return;
    if (response.status === 101) found.push(...tunnelIsTrue(rest, request));
    else found.push(...answerIsTrue(run, client, request, response));
  });
  return [...found, ...everyRequestIsAnswered(run, client, responses)].map(
    (text) => `${text} (client ${requests[0]!.id})`,
  );
}

function answerIsTrue(run: Run, client: Client, request: PlannedRequest, response: HttpMessage): string[] {
  const id = response.header("X-Id");
  const what = `response ${response.status} to ${request.method} ${request.id}`;
  if (id === undefined) return ownAnswerIsTrue(run, client, request, response).map((why) => `${what} ${why}`);
  if (id !== request.id) return [`${what} belongs to ${id}`];
  const delivery = run.deliveries[Number(response.header("X-Connection"))]!;
  const { answer } = delivery;
  if (answer === undefined || answer.status !== response.status) return [`${what} has a wrong status`];
  const ended = response.complete || (response.framing === "close" && client.end === "fin");
  const body = Buffer.from(response.body);
  if (!answer.body.subarray(0, body.length).equals(body)) return [`${what} has a body that differs`];
  if (!ended || body.length === answer.body.length) return [];
  // A close-delimited body that is cut off in good order cannot be told from a whole one.
  const isIndistinct =
    answer.framing === "end" && (answer.mishap === "fin" || request.body.length > 0) && body.length >= 0;
  return isIndistinct ? [] : [`${what} looks whole at ${body.length} of ${answer.body.length} bytes`];
}

/** A file, or an error's page. */
function ownAnswerIsTrue(
  { scenario, site, deliveries }: Run,
  client: Client,
  request: PlannedRequest,
  response: HttpMessage,
): string[] {
  const isRedirected = deliveries.some(({ id, answer }) => id === request.id && answer?.redirect === true);
  if (response.status !== 200) return scenario.calm ? ["is an error of the gateway"] : [];
  if (!request.file && !isRedirected) return ["comes from nobody"];
  if (request.method === "HEAD") return [];
  const body = Buffer.from(response.body);
  if (!site.file.subarray(0, body.length).equals(body)) return ["is another file"];
  const isWhole = response.complete || (response.framing === "close" && client.end === "fin");
  return isWhole && body.length < site.file.length ? ["is a part of the file"] : [];
}

function tunnelIsTrue(back: Uint8Array, request: PlannedRequest): string[] {
  const isEcho = tunnelBytes.subarray(0, back.length).equals(Buffer.from(back));
  return isEcho && request.upgrade ? [] : [`the tunnel of ${request.id} gave back other bytes`];
}

/** The first request without a whole response has one explanation at least. */
function everyRequestIsAnswered(run: Run, client: Client, responses: readonly HttpMessage[]): string[] {
  const { requests } = client.plan;
  const isWhole = (response: HttpMessage) =>
    response.complete || response.status === 101 || (response.framing === "close" && client.end === "fin");
  const whole = responses.filter(isWhole).length;
  const request = requests[whole];
  if (request === undefined) return [];
  if (client.end !== "fin") return unexplainedEnd(run, client, whole, responses);
  if (responses.at(-1)?.header("Connection") === "close") return [];
  if (!client.headDelivered(whole)) return [];
  const record = run.records.find(({ target }) => idOf(target) === request.id);
  if (record !== undefined && record.error !== "") return [];
  // A pipelined request behind an answer that was begun before the drain.
  if (record === undefined && run.scenario.drainAtMs < neverMs) return [];
  return [`${request.method} ${request.id} was read and the connection closed without an answer`];
}

/** In calm weather a reset, or an answer that does not come, has few excuses. */
function unexplainedEnd(
  { scenario, records }: Run,
  client: Client,
  index: number,
  responses: readonly HttpMessage[],
): string[] {
  if (!scenario.calm) return [];
  if (responses.some((response) => response.header("Connection") === "close")) return [];
  const request = client.plan.requests[index]!;
  const record = records.find(({ target }) => idOf(target) === request.id);
  // The connection was closed as idle, or drained, while the request was on its way.
  if (record === undefined && (scenario.drainAtMs < neverMs || !client.headDelivered(index))) return [];
  // It was the connection's last answer, and what the client had sent ahead drew a reset that overtook it.
  const isLast = !request.keepAlive || index + 1 === scenario.limits.maxRequestsPerConnection;
  if (record?.error === "" && isLast && client.end === "reset" && client.plan.pipelines) return [];
  return [`${request.method} ${request.id} got no answer though nothing went wrong: ${client.end}`];
}

function eachIsLoggedOnce({ records, deliveries, clients }: Run): string[] {
  const found: string[] = [];
  const counts = new Map<string, number>();
  for (const { target } of records) {
    if (target !== "") counts.set(idOf(target), (counts.get(idOf(target)) ?? 0) + 1);
  }
  for (const [id, count] of counts) if (count !== 1) found.push(`${id} was logged ${count} times`);
  for (const { id } of deliveries) {
    if (id !== "" && !counts.has(id)) found.push(`${id} reached an app and was not logged`);
  }
  for (const client of clients) {
    const { responses } = parseMessages(client.received, client.methods());
    responses.forEach((response, i) => {
      const request = client.plan.requests[i];
      if (request === undefined) return;
      const record = records.find(({ target }) => idOf(target) === request.id);
      if (record === undefined) {
        if (response.status !== 400 && response.status !== 408)
          found.push(`${request.id} was answered and not logged`);
        return;
      }
      // A client that goes away with the answer in its hands is logged by what became of the rest.
      if (record.status !== response.status) {
        found.push(`${request.id}: ${response.status} was sent, ${record.status} logged`);
      } else if (
        response.complete &&
        record.error === "" &&
        record.bytesOut !== response.body.length &&
        response.status !== 101
      ) {
        found.push(`${request.id}: ${response.body.length} bytes were sent, ${record.bytesOut} logged`);
      }
    });
  }
  return found;
}

/** What an app got of a body is what the client sent, and no more. */
function bodyIsIntact({ scenario }: Run, delivery: Delivery): string[] {
  const request = scenario.requests.get(delivery.id);
  if (request === undefined || request.upgrade || delivery.packet === undefined) return [];
  const { bytes, whole } = bodyOf(delivery, request);
  const what = `${request.method} ${request.id} at connection ${delivery.number}`;
  if (!request.payload.subarray(0, bytes.length).equals(bytes)) return [`${what}: the body differs`];
  if (bytes.length > request.payload.length) return [`${what}: more body than was sent`];
  if (whole && bytes.length !== request.payload.length)
    return [`${what}: ${bytes.length} of ${request.payload.length} bytes look whole`];
  return [];
}

function noUnsafeRepetition({ scenario, deliveries }: Run): string[] {
  const found: string[] = [];
  const allowed = Math.max(...scenario.snapshots.map(({ snapshot }) => snapshot.settings[0]!.retry.maxTries));
  const unsafe = scenario.snapshots.some(({ snapshot }) => snapshot.settings[0]!.retry.nonIdempotent);
  for (const { id, method } of scenario.requests.values()) {
    const got = deliveries.filter((delivery) => delivery.id === id && delivery.connection.writtenBytes > 0);
    if (got.length > allowed) found.push(`${id} went to ${got.length} apps, ${allowed} at most`);
    if (got.length > 1 && !unsafe && !IDEMPOTENT.includes(method)) {
      found.push(`${method} ${id} went to ${got.length} apps`);
    }
  }
  return found;
}

/** As much may wait, with the piece that was on its way when it was enough. */
const maxHeldBytes = 65_536 + maxPieceBytes;

/** Without response buffering little waits in the gateway: the app has to. */
function slowClientsHoldAppsBack({ scenario, deliveries }: Run): string[] {
  if (scenario.snapshots.some(({ snapshot }) => snapshot.settings[0]!.responseBuffering)) return [];
  const over = deliveries.filter(({ heldBytes }) => heldBytes > maxHeldBytes + maxPieceBytes);
  return over.map(({ id, heldBytes }) => `${heldBytes} bytes of the answer to ${id} waited in the gateway`);
}

/** The same the other way, without request buffering: so much for the app, and as much again that was sent ahead. */
function slowAppsHoldClientsBack({ scenario, clients }: Run): string[] {
  if (scenario.snapshots.some(({ snapshot }) => snapshot.settings[0]!.requestBuffering)) return [];
  const over = clients.filter(({ heldBytes }) => heldBytes > 2 * maxHeldBytes);
  return over.map(
    ({ plan, heldBytes }) => `${heldBytes} bytes of client ${plan.requests[0]!.id} waited in the gateway`,
  );
}

/** With `ignoreClientAbort` an app that has the whole request gives its whole answer, whoever is left to take it. */
function appsFinishWhereTheyMay({ scenario, deliveries, records }: Run): string[] {
  const settings = scenario.snapshots.map(({ snapshot }) => snapshot.settings[0]!);
  if (!settings.every(({ ignoreClientAbort, retry }) => ignoreClientAbort && retry.onStatus.length === 0))
    return [];
  if (scenario.drainAtMs < neverMs) return [];
  const cut = deliveries.filter((delivery) => {
    const { answer, id, connection } = delivery;
    if (answer?.mishap !== "none" || answer.redirect || delivery.tunnel) return false;
    if (!bodyOf(delivery, scenario.requests.get(id)!).whole) return false;
    // A client that is there and takes nothing ends both, as in NGINX.
    if (records.some(({ target, error }) => idOf(target) === id && error === "send_timeout")) return false;
    return connection.deliveredBytes < answer.wire.length - excessBytes;
  });
  return cut.map(({ id }) => `the app was cut off in its answer to ${id}`);
}

function idOf(target: string): string {
  return /id=([\d.]+);/.exec(target)?.[1] ?? "";
}
