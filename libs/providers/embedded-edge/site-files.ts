import { readFile, realpath } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join, normalize } from 'node:path';
import { pipeline } from 'node:stream/promises';
import send from '@fastify/send';
import { contentTypeOf } from '../edge/mime-types.js';
import { pages } from '../edge/pages.js';
import type { OwnPages } from '../edge/site-rules.js';
import { answerPage, answerPlain } from './answers.js';

const HIDDEN = /\/\.(?!well-known(\/|$))/;
const CACHING = 'public, max-age=0, must-revalidate';

/**
 * Answers with a file of a site's release. The release is looked up anew for every request, since its link is swapped under us; inside of it no link is
 * followed and nothing hidden is shown but .well-known.
 */
export async function serveFile(request: IncomingMessage, response: ServerResponse, root: string, ownMissing?: OwnPages[404]): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return answerPlain(request, response, 405, { Allow: 'GET, HEAD' });
  const [path, query] = splitUrl(request.url ?? '/');
  const release = await realpath(root).catch(() => undefined);
  if (release === undefined) return answerPage(request, response, pages.missing);
  if (!(await isPlain(release, path))) return answerMissing(request, response, release, ownMissing);
  const found = await send(request, path, { root: release, dotfiles: 'allow', cacheControl: false, contentType: false, index: 'index.html' });
  if (found.type === 'directory') {
    found.stream.destroy();
    return answerPlain(request, response, 301, { Location: `${path.replace(/^\/+/, '/')}/${query}` });
  }
  if (found.type === 'error' && found.statusCode < 412) {
    found.stream.destroy();
    return answerMissing(request, response, release, ownMissing);
  }
  const type = found.type === 'file' ? { 'Content-Type': contentTypeOf(found.metadata.path), 'Cache-Control': CACHING } : {};
  response.writeHead(found.statusCode, { ...found.headers, ...type });
  await pipeline(found.stream, response).catch(() => response.destroy());
}

/** What a site says itself where it has no page, or else what the edge says. */
async function answerMissing(request: IncomingMessage, response: ServerResponse, release: string, own: OwnPages[404]): Promise<void> {
  if (own && 'html' in own) return answerPage(request, response, { status: 404, html: own.html });
  if (!own || !(await isPlain(release, `/${own.file}`))) return answerPage(request, response, pages.missing);
  const text = await readFile(join(release, own.file));
  response.writeHead(404, { 'Content-Type': contentTypeOf(own.file), 'Cache-Control': 'no-store', 'Content-Length': text.length });
  response.end(request.method === 'HEAD' ? undefined : text);
}

/** Whether a path names a file or folder of a release that may be shown, and no link leads to it. */
async function isPlain(release: string, path: string): Promise<boolean> {
  const decoded = decode(path);
  if (decoded === undefined || decoded.includes('\0') || decoded.split('/').includes('..') || HIDDEN.test(decoded)) return false;
  const file = normalize(join(release, decoded, decoded.endsWith('/') ? 'index.html' : ''));
  return (await realpath(file).catch(() => undefined)) === file;
}

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function splitUrl(url: string): [path: string, query: string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at)];
}
