/**
 * A real Kubernetes API server, and pods without a kubelet, for the suites in `test/cluster`.
 *
 * A test file says `afterAll(stopAll)` once (of `test/harness`), and `describeCluster` in place of `describe`.
 */
export type { ApiAnswer, ApiRequests } from "./api-request.ts";
export { type ApiServer, type ApiServerOptions, type Runner, startApiServer } from "./api-server.ts";
export { type AuditEvent, wasDenied } from "./audit.ts";
export { type CertificateAuthority, type CertificateFiles, createAuthority } from "./certificates.ts";
export { CommandError, type RunOptions, run } from "./command.ts";
export type { ApiServerControl, Etcd } from "./control-plane.ts";
export {
  applyEndpointSlice,
  type Endpoint,
  type EndpointSliceOptions,
  endpointOf,
  endpointSlice,
  terminating,
} from "./endpoint-slices.ts";
export { type PodNetwork, podNetwork } from "./network.ts";
export { POD_PORT, type Pod, type PodOptions, startPod } from "./pods.ts";
