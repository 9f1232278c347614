/**
 * Real servers, raw clients and scripted upstreams for the suites that cross folders.
 *
 * A test file says `afterAll(stopAll)` once; everything below is then stopped and removed, whether its tests passed or not.
 */
export { type Apache, type ApacheOptions, startApache } from "./apache.ts";
export { onStopAll, stopAll, temporaryFolder } from "./cleanup.ts";
export { type DumpedRequest, dumpedRequest } from "./dumped-request.ts";
export { type Gateway, type GatewayOptions, startGateway } from "./gateway.ts";
export { type HttpMessage, latin1, parseMessages, parseResponse } from "./http-message.ts";
export { type Nginx, type NginxOptions, startNginx } from "./nginx.ts";
export { freePort, isFree } from "./ports.ts";
export {
  type ProcessOptions,
  type RunningProcess,
  type SocketAddress,
  startProcess,
  waitUntil,
  waitUntilListening,
} from "./processes.ts";
export { hasProgram, type Program, programPath, uwsgiCommand } from "./programs.ts";
export {
  type Exchange,
  type ExchangeOptions,
  openRaw,
  type RawConnection,
  rawExchange,
  type Step,
} from "./raw-client.ts";
export {
  type ScriptedUpstream,
  type ScriptedUpstreamOptions,
  startScriptedUpstream,
  type UpstreamConnection,
  type UpstreamScript,
  type UwsgiPacket,
} from "./scripted-upstream.ts";
export { DUMP_VARS_APP, startUwsgi, type Uwsgi, type UwsgiOptions } from "./uwsgi.ts";
