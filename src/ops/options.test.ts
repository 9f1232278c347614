// Proves: every option's spelling, default and error; that errors name the option (and the variable); that the
// command line beats the environment, which beats the default.
import { describe, expect, test } from "bun:test";
import { environmentName, OptionsError } from "./command.ts";
import { type ProxyOptions, parseProxyOptions } from "./options.ts";

function parse(argv: string[], env: Record<string, string> = {}): ProxyOptions {
  const parsed = parseProxyOptions(["--manifests", "m", ...argv], env, "1.2.3");
  if (parsed.type !== "run") throw new Error("printed");
  return parsed.options;
}

function complaint(argv: string[], env: Record<string, string> = {}): string {
  try {
    parseProxyOptions(argv, env, "1.2.3");
  } catch (error) {
    expect(error).toBeInstanceOf(OptionsError);
    return (error as Error).message;
  }
  throw new Error("accepted");
}

describe("defaults", () => {
  test("are complete", () => {
    const { tempDir, ...rest } = parse([]);
    expect(tempDir.length).toBeGreaterThan(0);
    expect(rest).toEqual({
      source: { type: "folder", folder: "m" },
      http: [{ hostname: "0.0.0.0", port: 8080 }],
      admin: { hostname: "127.0.0.1", port: 9145 },
      readyUwsgi: false,
      workers: 1,
      accessLogShare: 1,
      accessLogFormat: "json",
      logLevel: "info",
      trustedProxies: [],
      serverHeader: "uwsgi-gateway",
      maxConnections: 16_384,
      maxRequestsPerConnection: 1000,
      headerTimeoutMs: 60_000,
      bodyTimeoutMs: 60_000,
      idleTimeoutMs: 75_000,
      sendTimeoutMs: 60_000,
      drainDelayMs: 0,
      drainTimeoutMs: 30_000,
      bodyMemoryBytes: 65_536,
      responseMemoryBytes: 65_536,
      allowUwsgiScript: false,
    });
  });

  test("--manifests has none", () => {
    expect(complaint([])).toContain("--manifests");
    expect(complaint([])).toContain("UWSGI_GATEWAY_MANIFESTS");
    expect(complaint(["--manifests", ""])).toContain("--manifests");
  });
});

describe("where routes come from", () => {
  function source(...argv: string[]): ProxyOptions["source"] {
    const parsed = parseProxyOptions(argv, {}, "1.2.3");
    if (parsed.type !== "run") throw new Error("printed");
    return parsed.options.source;
  }

  test("a controller on a Unix socket", () => {
    expect(source("--feed", "unix:/run/feed.sock", "--snapshot-file", "/s.json")).toEqual({
      type: "feed",
      address: { type: "unix", path: "/run/feed.sock" },
      snapshotFile: "/s.json",
    });
  });

  test("a controller over TCP, with certificates", () => {
    const tls = ["--feed-tls-cert", "c", "--feed-tls-key", "k", "--feed-tls-ca", "a"];
    expect(source("--feed", "10.0.0.1:9146", ...tls)).toEqual({
      type: "feed",
      address: { type: "tcp", hostname: "10.0.0.1", port: 9146 },
      tls: { cert: "c", key: "k", ca: "a" },
    });
    expect(complaint(["--feed", "10.0.0.1:9146", "--feed-tls-cert", "c"])).toContain("--feed-tls-key");
  });

  test("one app and its files", () => {
    expect(source("--uwsgi", "unix:/run/app.sock", "--static", "/static/=/srv/static")).toEqual({
      type: "app",
      uwsgi: ["unix:/run/app.sock"],
      files: [{ prefix: "/static/", root: "/srv/static" }],
    });
  });

  test("one of them, and no more", () => {
    const message = complaint(["--manifests", "m", "--uwsgi", "unix:/s"]);
    for (const name of ["--manifests", "--feed", "--uwsgi"]) expect(message).toContain(name);
  });

  test.each([
    ["--feed", "unix:relative"],
    ["--feed", `unix:/${"x".repeat(107)}`],
    ["--static", "static=/srv"],
    ["--static", "/static/=relative"],
  ])("%s %s is refused", (option, value) => {
    expect(complaint([option, value])).toContain(option);
  });
});

describe("spellings", () => {
  test("every option", () => {
    const options = parse([
      ...[
        "--http",
        "[::]:80",
        "--http",
        "127.0.0.1:0,localhost:81",
        "--admin",
        "[::1]:9000",
        "--workers",
        "4",
      ],
      ...["--access-log", "0.01", "--access-log-format", "combined", "--log-level", "debug"],
      ...[
        "--trusted-proxies",
        "10.0.0.0/8",
        "--trusted-proxies",
        "fd00::/8,::1",
        "--server-header",
        "edge/1",
      ],
      ...["--max-connections", "10", "--max-requests-per-connection", "5", "--header-timeout", "500ms"],
      ...["--body-timeout", "1m", "--idle-timeout", "1.5s", "--send-timeout", "1h", "--drain-delay", "5s"],
      ...["--drain-timeout", "0", "--body-memory", "1Mi", "--response-memory", "4096", "--temp-dir", "/t"],
      ...["--ready-uwsgi", "--allow-uwsgi-script"],
    ]);
    expect(options).toEqual({
      source: { type: "folder", folder: "m" },
      http: [
        { hostname: "::", port: 80 },
        { hostname: "127.0.0.1", port: 0 },
        { hostname: "localhost", port: 81 },
      ],
      admin: { hostname: "::1", port: 9000 },
      readyUwsgi: true,
      workers: 4,
      accessLogShare: 0.01,
      accessLogFormat: "combined",
      logLevel: "debug",
      trustedProxies: ["10.0.0.0/8", "fd00::/8", "::1"],
      serverHeader: "edge/1",
      maxConnections: 10,
      maxRequestsPerConnection: 5,
      headerTimeoutMs: 500,
      bodyTimeoutMs: 60_000,
      idleTimeoutMs: 1500,
      sendTimeoutMs: 3_600_000,
      drainDelayMs: 5000,
      drainTimeoutMs: 0,
      bodyMemoryBytes: 1_048_576,
      responseMemoryBytes: 4096,
      tempDir: "/t",
      allowUwsgiScript: true,
    });
  });

  test("words for none and all", () => {
    expect(parse(["--access-log", "off"]).accessLogShare).toBe(0);
    expect(parse(["--access-log", "all"]).accessLogShare).toBe(1);
    expect(parse(["--access-log", ".5"]).accessLogShare).toBe(0.5);
    expect(parse(["--server-header", "off"]).serverHeader).toBe("");
  });
});

describe("mistakes name the option", () => {
  test.each([
    ["--http", "8080"],
    ["--http", ":8080"],
    ["--http", "::1:8080"],
    ["--http", "[nonsense]:80"],
    ["--http", "0.0.0.0:65536"],
    ["--http", "300.0.0.1:80"],
    ["--http", "a b:80"],
    ["--http", "a:1,"],
    ["--admin", "localhost"],
    ["--workers", "0"],
    ["--workers", "two"],
    ["--workers", "1.5"],
    ["--access-log", "some"],
    ["--access-log", "1.5"],
    ["--access-log", "-1"],
    ["--access-log-format", "xml"],
    ["--log-level", "loud"],
    ["--trusted-proxies", "10.0.0.0/33"],
    ["--trusted-proxies", "everyone"],
    ["--trusted-proxies", "10"],
    ["--server-header", "a\r\nb: c"],
    ["--server-header", ""],
    ["--max-connections", "0"],
    ["--max-requests-per-connection", "-1"],
    ["--header-timeout", "10"],
    ["--header-timeout", "0"],
    ["--body-timeout", "1 s"],
    ["--idle-timeout", "100d"],
    ["--send-timeout", "9999h"],
    ["--drain-delay", "-5s"],
    ["--drain-timeout", "soon"],
    ["--body-memory", "1MB"],
    ["--response-memory", "64k"],
    ["--temp-dir", ""],
  ])("%s %s", (flag, value) => {
    const message = complaint(["--manifests", "m", `${flag}=${value}`]);
    expect(message).toContain(flag);
    expect(message).toMatch(/expected/);
    if (value !== "") {
      const fromEnv = complaint(["--manifests", "m"], { [environmentName(flag)]: value });
      expect(fromEnv).toContain(flag);
      expect(fromEnv).toContain(environmentName(flag));
      expect(fromEnv).toMatch(/expected/);
    }
  });

  test("an address for two purposes", () => {
    const twice = complaint(["--manifests", "m", "--http", "127.0.0.1:80,127.0.0.1:80"]);
    expect(twice).toBe(
      "error: option '--http <HOST:PORT>' value '127.0.0.1:80' is invalid. It is given twice.",
    );
    expect(complaint(["--manifests", "m", "--http", "[::]:80", "--http", "[::]:80"])).toContain("'[::]:80'");
    const shared = complaint(["--manifests", "m", "--http", "127.0.0.1:9145"]);
    expect(shared).toBe(
      "error: option '--admin <HOST:PORT>' value '127.0.0.1:9145' is invalid. It is an address of --http too.",
    );
    expect(parse(["--http", "[::1]:0,[::1]:0", "--admin", "[::1]:0"]).http.length).toBe(2);
    expect(parse(["--http", "127.0.0.1:80,127.0.0.2:80"]).http.length).toBe(2);
  });

  test("unknown options and stray arguments", () => {
    expect(complaint(["--manifests", "m", "--htpp", "x"])).toContain("--htpp");
    expect(complaint(["--manifests", "m", "stray"])).toContain("argument");
    expect(complaint(["--manifests"])).toContain("--manifests");
  });

  test("a boolean variable", () => {
    expect(complaint(["--manifests", "m"], { UWSGI_GATEWAY_ALLOW_UWSGI_SCRIPT: "maybe" })).toContain(
      "UWSGI_GATEWAY_ALLOW_UWSGI_SCRIPT",
    );
  });
});

describe("environment", () => {
  test("beats the default, repeatable by commas", () => {
    const options = parse([], {
      UWSGI_GATEWAY_HTTP: "[::]:1, 127.0.0.1:2",
      UWSGI_GATEWAY_WORKERS: "3",
      UWSGI_GATEWAY_DRAIN_DELAY: "7s",
      UWSGI_GATEWAY_ALLOW_UWSGI_SCRIPT: "true",
    });
    expect(options.http).toEqual([
      { hostname: "::", port: 1 },
      { hostname: "127.0.0.1", port: 2 },
    ]);
    expect([options.workers, options.drainDelayMs, options.allowUwsgiScript]).toEqual([3, 7000, true]);
  });

  test("gives the required folder", () => {
    const parsed = parseProxyOptions([], { UWSGI_GATEWAY_MANIFESTS: "/etc/m" }, "1");
    expect(parsed).toMatchObject({
      type: "run",
      options: { source: { type: "folder", folder: "/etc/m" } },
    });
  });

  test("loses to the command line, and is then not even read", () => {
    const options = parse(["--http", "127.0.0.1:5", "--workers", "2"], {
      UWSGI_GATEWAY_HTTP: "127.0.0.1:6",
      UWSGI_GATEWAY_WORKERS: "nonsense",
      UWSGI_GATEWAY_MANIFESTS: "other",
    });
    expect(options.http).toEqual([{ hostname: "127.0.0.1", port: 5 }]);
    expect([options.workers, options.source]).toEqual([2, { type: "folder", folder: "m" }]);
  });

  test("an empty variable is an absent one; what Kubernetes injects for a Service is ignored", () => {
    const options = parse([], {
      UWSGI_GATEWAY_WORKERS: "",
      UWSGI_GATEWAY_SERVICE_HOST: "10.0.0.1",
      UWSGI_GATEWAY_PORT: "tcp://10.0.0.1:80",
    });
    expect(options.workers).toBe(1);
  });
});

describe("--help and --version", () => {
  test("help shows every option, its default and how variables are named", () => {
    const parsed = parseProxyOptions(["--help"], {}, "1.2.3");
    if (parsed.type !== "print") throw new Error("ran");
    for (const word of [
      "--manifests <DIR>",
      "--http",
      "default: 0.0.0.0:8080",
      "UWSGI_GATEWAY_DRAIN_DELAY",
      "75s",
    ]) {
      expect(parsed.text).toContain(word);
    }
  });

  test("version", () => {
    expect(parseProxyOptions(["--version"], {}, "1.2.3")).toEqual({ type: "print", text: "1.2.3\n" });
  });
});
