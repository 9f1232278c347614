/** Proves: what a client gets for files, folders, conditions, ranges and variants, from memory and from disk alike. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Answer, TestSite } from "./site.fixture.ts";

const MODIFIED = new Date(Date.UTC(1994, 10, 6, 8, 49, 37));
const LAST_MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT";
const TIME_HEX = (MODIFIED.getTime() / 1000).toString(16);

let site: TestSite;

function write(name: string, content: string, modified = MODIFIED) {
  const path = site.write(name, content);
  utimesSync(path, modified, modified);
}

/** Runs once with the file in memory, once from its descriptor: the answers must be the same. */
describe.each([
  ["held in memory", 64 * 1024],
  ["read from disk", -1],
])("files %s", (_name, maxCachedFileBytes) => {
  beforeEach(() => {
    site = new TestSite({ maxCachedFileBytes });
    write("f.txt", "0123456789");
    write("app.js", "plain script");
    write("app.js.br", "BR");
    write("app.js.gz", "GZIP");
    write("dir/index.html", "index of dir");
    mkdirSync(join(site.root, "bare"));
  });
  afterEach(() => site.remove());

  test("GET", () => {
    for (let round = 0; round < 2; round++) {
      expect(site.get("/f.txt")).toEqual({
        status: 200,
        body: "0123456789",
        fields: {
          "Content-Type": "text/plain; charset=utf-8",
          "Content-Length": "10",
          "Last-Modified": LAST_MODIFIED,
          ETag: `"${TIME_HEX}-a"`,
          "Accept-Ranges": "bytes",
        },
      });
    }
  });

  test("HEAD has the fields of GET and no body; ranges are for GET", () => {
    const get = site.get("/f.txt");
    expect(site.get("/f.txt", {}, "HEAD")).toEqual({ ...get, body: "" });
    expect(site.get("/f.txt", { range: "bytes=0-1" }, "HEAD")).toEqual({ ...get, body: "" });
  });

  test("an empty file", () => {
    write("empty.txt", "");
    const answer = site.get("/empty.txt");
    expect([answer.status, answer.body, answer.fields["Content-Length"]]).toEqual([200, "", "0"]);
    expect(site.get("/empty.txt", { range: "bytes=0-" }).status).toBe(200);
  });

  test("an entity tag tells edits within one second apart", () => {
    write("f.txt", "9876543210", new Date(MODIFIED.getTime() + 500));
    expect(site.get("/f.txt").fields["ETag"]).toBe(`"${TIME_HEX}.7a120-a"`);
    expect(site.get("/f.txt").fields["Last-Modified"]).toBe(LAST_MODIFIED);
  });

  test("304 carries the validators and nothing about a body", () => {
    const tag = `"${TIME_HEX}-a"`;
    const expected: Answer = { status: 304, body: "", fields: { ETag: tag, "Last-Modified": LAST_MODIFIED } };
    expect(site.get("/f.txt", { "if-none-match": tag })).toEqual(expected);
    expect(site.get("/f.txt", { "if-none-match": tag }, "HEAD")).toEqual(expected);
    expect(site.get("/f.txt", { "if-modified-since": LAST_MODIFIED })).toEqual(expected);
    expect(site.get("/f.txt", { "if-none-match": tag, range: "bytes=0-1" })).toEqual(expected);
    expect(site.get("/f.txt", { "if-none-match": '"other"' }).body).toBe("0123456789");
  });

  test("412; and 404 whatever the condition", () => {
    expect(site.get("/f.txt", { "if-match": '"other"' }).status).toBe(412);
    expect(site.get("/f.txt", { "if-unmodified-since": "Sun, 06 Nov 1994 08:49:36 GMT" }).status).toBe(412);
    expect(site.get("/f.txt", { "if-match": "*" }).status).toBe(200);
    expect(site.get("/none.txt", { "if-match": "*" }).status).toBe(404);
  });

  test("one range", () => {
    expect(site.get("/f.txt", { range: "bytes=2-4" })).toEqual({
      status: 206,
      body: "234",
      fields: {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": "3",
        "Last-Modified": LAST_MODIFIED,
        ETag: `"${TIME_HEX}-a"`,
        "Content-Range": "bytes 2-4/10",
      },
    });
    expect(site.get("/f.txt", { range: "bytes=-3" }).body).toBe("789");
  });

  test("several ranges", () => {
    const answer = site.get("/f.txt", { range: "bytes=0-1,-2" });
    const boundary = /^multipart\/byteranges; boundary=(\d+)$/.exec(answer.fields["Content-Type"]!)?.[1];
    expect(answer.status).toBe(206);
    expect(answer.fields["Content-Range"]).toBeUndefined();
    expect(answer.fields["Content-Length"]).toBe(String(answer.body.length));
    expect(answer.body.split("\r\n")).toEqual([
      `--${boundary}`,
      "Content-Type: text/plain; charset=utf-8",
      "Content-Range: bytes 0-1/10",
      "",
      "01",
      `--${boundary}`,
      "Content-Type: text/plain; charset=utf-8",
      "Content-Range: bytes 8-9/10",
      "",
      "89",
      `--${boundary}--`,
      "",
    ]);
  });

  test("ranges that are abusive or in another unit give the whole file", () => {
    const many = Array.from({ length: 17 }, () => "0-0").join(",");
    for (const range of [`bytes=${many}`, "bytes=0-,0-", "lines=1-2"]) {
      expect(site.get("/f.txt", { range }).status).toBe(200);
    }
  });

  test("416 says how large the file is", () => {
    const answer = site.get("/f.txt", { range: "bytes=10-" });
    expect([answer.status, answer.fields["Content-Range"]]).toEqual([416, "bytes */10"]);
  });

  test("If-Range: the range if the file is the same, else the whole", () => {
    const range = "bytes=0-1";
    expect(site.get("/f.txt", { range, "if-range": `"${TIME_HEX}-a"` }).body).toBe("01");
    expect(site.get("/f.txt", { range, "if-range": LAST_MODIFIED }).body).toBe("01");
    expect(site.get("/f.txt", { range, "if-range": '"other"' }).body).toBe("0123456789");
    expect(site.get("/f.txt", { range: "bytes=99-", "if-range": '"other"' }).status).toBe(200);
  });

  test("variants: by Accept-Encoding, with the type of the original and a tag of their own", () => {
    const answers = ["br, gzip", "gzip", "identity"].map((value) =>
      site.get("/app.js", { "accept-encoding": value }),
    );
    expect(answers.map((answer) => answer.body)).toEqual(["BR", "GZIP", "plain script"]);
    expect(answers.map((answer) => answer.fields["Content-Encoding"])).toEqual(["br", "gzip", undefined!]);
    expect(answers.map((answer) => answer.fields["ETag"])).toEqual([
      `"${TIME_HEX}-2-br"`,
      `"${TIME_HEX}-4-gzip"`,
      `"${TIME_HEX}-c"`,
    ]);
    for (const { fields } of [...answers, site.get("/app.js")]) {
      expect(fields["Vary"]).toBe("Accept-Encoding");
      expect(fields["Content-Type"]).toBe("text/javascript; charset=utf-8");
    }
    expect(site.get("/app.js").body).toBe("plain script");
    expect(site.get("/f.txt", { "accept-encoding": "br" }).fields["Vary"]).toBeUndefined();
  });

  test("variants: HEAD, conditions and ranges are about the variant", () => {
    const accept = { "accept-encoding": "gzip" };
    expect(site.get("/app.js", accept, "HEAD").fields["Content-Length"]).toBe("4");
    expect(site.get("/app.js", { ...accept, "if-none-match": `"${TIME_HEX}-4-gzip"` })).toEqual({
      status: 304,
      body: "",
      fields: { ETag: `"${TIME_HEX}-4-gzip"`, "Last-Modified": LAST_MODIFIED, Vary: "Accept-Encoding" },
    });
    expect(site.get("/app.js", { ...accept, "if-none-match": `"${TIME_HEX}-c"` }).status).toBe(200);
    const part = site.get("/app.js", { ...accept, range: "bytes=1-2" });
    expect([
      part.body,
      part.fields["Content-Range"],
      part.fields["Content-Encoding"],
      part.fields["Vary"],
    ]).toEqual(["ZI", "bytes 1-2/4", "gzip", "Accept-Encoding"]);
  });

  test("a variant asked for by name is a file like any other", () => {
    const answer = site.get("/app.js.gz", { "accept-encoding": "gzip" });
    expect([answer.fields["Content-Type"], answer.fields["Content-Encoding"]]).toEqual([
      "application/gzip",
      undefined!,
    ]);
  });

  test("a variant that its original has outlived by more than a minute is left alone", () => {
    write("app.js", "edited", new Date(MODIFIED.getTime() + 60_001));
    write("app.js.gz", "GZ", new Date(MODIFIED.getTime() + 1));
    const answer = site.get("/app.js", { "accept-encoding": "br, gzip" });
    expect([answer.body, answer.fields["Vary"]]).toEqual(["GZ", "Accept-Encoding"]);
    write("old.css", "edited", new Date(MODIFIED.getTime() + 60_001));
    write("old.css.br", "BR");
    const plain = site.get("/old.css", { "accept-encoding": "br" });
    expect([plain.body, plain.fields["Vary"]]).toEqual(["edited", undefined!]);
  });

  test("variants of an index", () => {
    write("dir/index.html.gz", "GZ");
    expect(site.get("/dir/", { "accept-encoding": "gzip" }).body).toBe("GZ");
  });

  test("folders: the index, or 403; without the slash a redirect", () => {
    expect(site.get("/dir/").body).toBe("index of dir");
    expect(site.get("/dir/").fields["Content-Type"]).toBe("text/html; charset=utf-8");
    expect(site.get("/bare/").status).toBe(403);
    expect(site.get("/none/").status).toBe(404);
    expect(site.get("/f.txt/").status).toBe(404);
    expect(site.get("/f.txt/x").status).toBe(404);
    const redirect = site.get("/dir?a=b%20c&d=/");
    expect([redirect.status, redirect.fields["Location"]]).toEqual([301, "/dir/?a=b%20c&d=/"]);
  });

  test("index names are tried in order, and folders of that name passed over", () => {
    mkdirSync(join(site.root, "many/index.html"), { recursive: true });
    write("many/default.htm", "default");
    site.action = { ...site.action, index: ["first.html", "index.html", "default.htm"] };
    expect(site.get("/many/").body).toBe("default");
    site.action = { ...site.action, index: [] };
    expect(site.get("/many/").status).toBe(403);
  });

  test("a redirect never leads to another host", () => {
    mkdirSync(join(site.root, "evil.com"));
    mkdirSync(join(site.root, "\\evil.com"));
    expect(site.get("//evil.com").fields["Location"]).toBe("/evil.com/");
    expect(site.get("/\\evil.com").fields["Location"]).toBe("/%5Cevil.com/");
  });

  test("a stripped prefix, the mount point itself included", () => {
    site.action = { ...site.action, stripPrefix: "/static", index: ["f.txt"] };
    expect(site.get("/static/f.txt").body).toBe("0123456789");
    expect(site.get("/static/").body).toBe("0123456789");
    expect(site.get("/static").fields["Location"]).toBe("/static/");
    expect(site.get("/staticf.txt").status).toBe(404);
  });

  test("names are bytes: UTF-8 works, and so does what is not UTF-8", () => {
    writeFileSync(join(site.root, "é ü.txt"), "utf8");
    writeFileSync(Buffer.concat([Buffer.from(`${site.root}/`), Buffer.from([0xff, 0x2e, 0x63])]), "raw");
    expect(site.get(Buffer.from("/é ü.txt").toString("latin1")).body).toBe("utf8");
    expect(site.get("/\xff.c").body).toBe("raw");
    expect(site.get("/\xfe.c").status).toBe(404);
    mkdirSync(join(site.root, "é"));
    const redirect = site.get(Buffer.from("/é").toString("latin1"));
    expect(redirect.fields["Location"]).toBe("/%C3%A9/");
  });

  test("a root whose name is not ASCII", () => {
    const root = join(site.base, "größe");
    mkdirSync(root);
    writeFileSync(join(root, "a.txt"), "a");
    site.action = { ...site.action, root: `${root}/` };
    expect(site.get("/a.txt").body).toBe("a");
  });

  test("other methods: 405, whether or not the file exists", () => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"]) {
      for (const path of ["/f.txt", "/none"]) {
        const answer = site.get(path, {}, method);
        expect([answer.status, answer.fields["Allow"]]).toEqual([405, "GET, HEAD"]);
      }
    }
  });

  test("errors are a line of text, without it for HEAD", () => {
    const fields = { "Content-Type": "text/plain; charset=utf-8", "Content-Length": "14" };
    expect(site.get("/none")).toEqual({ status: 404, body: "404 Not Found\n", fields });
    expect(site.get("/none", {}, "HEAD")).toEqual({ status: 404, body: "", fields });
  });
});
