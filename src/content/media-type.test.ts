/** Proves: Content-Type comes from the last extension, text is UTF-8, and no name can reach outside the table. */
import { expect, test } from "bun:test";
import { mediaType } from "./media-type.ts";

test.each([
  ["/a/site.css", "text/css; charset=utf-8"],
  ["/a/app.JS", "text/javascript; charset=utf-8"],
  ["/index.html", "text/html; charset=utf-8"],
  ["/feed.xml", "text/xml"],
  ["/data.json", "application/json"],
  ["/app.js.map", "application/json"],
  ["/logo.svg", "image/svg+xml"],
  ["/f.woff2", "font/woff2"],
  ["/old.tar.gz", "application/gzip"],
  ["/README", "application/octet-stream"],
  ["/html", "application/octet-stream"],
  ["/v1.css/blob", "application/octet-stream"],
  ["/x.unheard", "application/octet-stream"],
  ["/x.constructor", "application/octet-stream"],
  ["/x.__proto__", "application/octet-stream"],
  ["/x.", "application/octet-stream"],
])("%s: %s", (path, type) => {
  expect(mediaType(path)).toBe(type);
});
