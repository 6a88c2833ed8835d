import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Visitor } from './forwarded.js';
import { pageHeaders, pageType, type EdgePage } from '../edge/pages.js';

/** Answers with one of the edge's own pages. */
export function answerPage(request: IncomingMessage, response: ServerResponse, page: EdgePage, headers: Readonly<Record<string, string>> = {}): void {
  answer(request, response, page.status, { ...pageHeaders, ...headers, 'Content-Type': pageType }, page.html);
}

/** Answers with a status and its name. */
export function answerPlain(request: IncomingMessage, response: ServerResponse, status: number, headers: Readonly<Record<string, string>> = {}): void {
  answer(request, response, status, { 'Content-Type': 'text/plain; charset=utf-8', ...headers }, `${status} ${STATUS_CODES[status]}\n`);
}

/** Sends a visitor on to another host: same scheme, port, path and query. */
export function answerMoved(request: IncomingMessage, response: ServerResponse, place: { to: string; status: number }, visitor: Visitor): void {
  const port = /:\d+$/.exec(visitor.host)?.[0] ?? '';
  answerPlain(request, response, place.status, { Location: `${visitor.scheme}://${place.to}${port}${escaped(request.url ?? '/')}` });
}

/** A path and query with nothing in it that a header could not hold. */
export function escaped(url: string): string {
  return url.replace(/[^\x21-\x7e]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

/** Answers with a page where a websocket was asked for. */
export function refuseUpgrade(socket: Duplex, page: EdgePage, more: Readonly<Record<string, string>> = {}): void {
  const headers = { ...pageHeaders, ...more, 'Content-Type': pageType, 'Content-Length': Buffer.byteLength(page.html), Connection: 'close' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  if (socket.writable) socket.end(`HTTP/1.1 ${page.status} ${STATUS_CODES[page.status]}\r\n${lines.join('')}\r\n${page.html}`);
}

/** A connection is not kept whose request was wrong, or whose body was not read; an answer that has begun can only be cut off. */
function answer(request: IncomingMessage, response: ServerResponse, status: number, headers: Readonly<Record<string, string>>, text: string): void {
  if (response.writableEnded) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const closing = status === 400 || status === 413 || !request.complete ? { Connection: 'close' } : {};
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(text), ...closing });
  response.end(request.method === 'HEAD' ? undefined : text);
}
