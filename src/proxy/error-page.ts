/** What a client sees of an error: the status as a line of plain text. */
import { STATUS_CODES } from "node:http";

const pages = new Map<number, { fields: Buffer; body: readonly Buffer[] }>();

/** Made once for each status. */
export function errorPage(status: number, isHead: boolean): { fields: Buffer; body: readonly Buffer[] } {
  let page = pages.get(status);
  if (page === undefined) {
    const text = Buffer.from(`${status} ${STATUS_CODES[status] ?? "Error"}\n`);
    const allow = status === 405 ? "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" : "";
    const fields = `${allow}Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${text.length}\r\n`;
    page = { fields: Buffer.from(fields), body: [text] };
    pages.set(status, page);
  }
  return isHead ? { fields: page.fields, body: [] } : page;
}
