// Proves: the controller's options, their defaults, what excludes what, and that errors name the option.
import { describe, expect, test } from "bun:test";
import { OptionsError } from "./command.ts";
import { type ControllerOptions, parseControllerOptions } from "./controller-options.ts";

function parse(argv: string[], env: Record<string, string> = {}): ControllerOptions {
  const parsed = parseControllerOptions(argv, env, "1.2.3");
  if (parsed.type !== "run") throw new Error("printed");
  return parsed.options;
}

function complaint(...argv: string[]): string {
  try {
    parseControllerOptions(argv, {}, "1.2.3");
  } catch (error) {
    expect(error).toBeInstanceOf(OptionsError);
    return (error as Error).message;
  }
  throw new Error("accepted");
}

describe("defaults", () => {
  test("are those of a pod", () => {
    expect(parse([], { POD_NAMESPACE: "gateways" })).toEqual({
      feed: [{ type: "unix", path: "/run/uwsgi-gateway/feed.sock" }],
      admin: { hostname: "127.0.0.1", port: 9146 },
      namespaces: [],
      controllerName: "uwsgi-gateway.io/ingress-controller",
      publishAddresses: [],
      leaseNamespace: "gateways",
      leaseName: "uwsgi-gateway",
      status: true,
      maxSecrets: 1000,
      allowUwsgiScript: false,
      logLevel: "info",
    });
  });
});

describe("spellings", () => {
  test("every option", () => {
    const options = parse([
      ...["--kubeconfig", "k", "--feed", "unix:/f,10.0.0.1:1", "--admin", "[::]:2", "--namespaces", "a,b"],
      ...["--feed-tls-cert", "c", "--feed-tls-key", "y", "--feed-tls-ca", "a", "--namespace-selector", "x=y"],
      ...["--controller-name", "example.com/c", "--publish-service", "gw/lb", "--lease-namespace", "l"],
      ...["--lease-name", "n", "--without-status", "--zone", "z1", "--max-secrets", "5"],
      ...["--allow-uwsgi-script", "--log-level", "debug"],
    ]);
    expect(options).toEqual({
      kubeconfig: "k",
      feed: [
        { type: "unix", path: "/f" },
        { type: "tcp", hostname: "10.0.0.1", port: 1 },
      ],
      tls: { cert: "c", key: "y", ca: "a" },
      admin: { hostname: "::", port: 2 },
      namespaces: ["a", "b"],
      namespaceSelector: "x=y",
      controllerName: "example.com/c",
      publishService: { namespace: "gw", name: "lb" },
      publishAddresses: [],
      leaseNamespace: "l",
      leaseName: "n",
      status: false,
      zone: "z1",
      maxSecrets: 5,
      allowUwsgiScript: true,
      logLevel: "debug",
    });
  });

  test("from the environment", () => {
    expect(parse([], { UWSGI_GATEWAY_NAMESPACES: "a, b", UWSGI_GATEWAY_ZONE: "z" })).toMatchObject({
      namespaces: ["a", "b"],
      zone: "z",
    });
  });
});

describe("a mistake names its option", () => {
  test.each([
    ["--feed", ["--feed", "10.0.0.1:1"]],
    ["--publish-service", ["--publish-service", "noslash"]],
    ["--publish-address", ["--publish-service", "a/b", "--publish-address", "192.0.2.1"]],
    ["--publish-address", ["--publish-address", "not an address"]],
    ["--namespaces", ["--namespaces", "Upper"]],
    ["--lease-name", ["--lease-name", "-"]],
    ["--max-secrets", ["--max-secrets", "many"]],
    ["--log-level", ["--log-level", "loud"]],
  ])("%s", (option, argv) => {
    expect(complaint(...argv)).toContain(option);
  });
});
