/** Proves that the checker of pods sees each thing that the profile `restricted` refuses. */
import { expect, test } from "bun:test";
import { restrictedFaults } from "./pod-security.ts";

const container = {
  name: "c",
  securityContext: {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] },
  },
};
const securityContext = { runAsNonRoot: true, runAsUser: 1, seccompProfile: { type: "RuntimeDefault" } };
const pod = { securityContext, volumes: [{ name: "v", emptyDir: {} }], containers: [container] };

function withOwn(fields: object): object {
  return {
    ...pod,
    containers: [{ ...container, securityContext: { ...container.securityContext, ...fields } }],
  };
}

test("a restricted pod has no faults", () => {
  expect(restrictedFaults(pod)).toEqual([]);
});

test.each([
  ["hostNetwork", { ...pod, hostNetwork: true }],
  ["hostPID", { ...pod, hostPID: true }],
  ["volume v: hostPath", { ...pod, volumes: [{ name: "v", hostPath: { path: "/" } }] }],
  [
    "sysctl net.core.somaxconn",
    { ...pod, securityContext: { ...securityContext, sysctls: [{ name: "net.core.somaxconn" }] } },
  ],
  ["c: runAsNonRoot", withOwn({ runAsNonRoot: false })],
  ["c: runAsUser", withOwn({ runAsUser: 0 })],
  ["c: seccompProfile", { ...pod, securityContext: { ...securityContext, seccompProfile: undefined } }],
  ["c: privileged", withOwn({ privileged: true })],
  ["c: allowPrivilegeEscalation", withOwn({ allowPrivilegeEscalation: undefined })],
  ["c: readOnlyRootFilesystem", withOwn({ readOnlyRootFilesystem: false })],
  ["c: capabilities.drop", withOwn({ capabilities: {} })],
  ["c: capabilities.add NET_ADMIN", withOwn({ capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] } })],
  [
    "c: hostPort 80",
    { ...pod, containers: [{ ...container, ports: [{ containerPort: 8080, hostPort: 80 }] }] },
  ],
  [
    "i: capabilities.drop",
    {
      ...pod,
      initContainers: [
        { ...container, name: "i", securityContext: { ...container.securityContext, capabilities: {} } },
      ],
    },
  ],
])("sees %s", (fault, broken) => {
  expect(restrictedFaults(broken)).toEqual([fault]);
});
