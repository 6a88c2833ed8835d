import { request } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProviderError } from '#providers/provider-error.js';

/** Where this host's edge receives visitors, as the host itself reaches it. */
export abstract class EdgeDoor {
  abstract readonly httpPort: number;
  /** A connection there, as its first words are to be; or one to the port for HTTPS. */
  abstract connect(isSecure?: boolean): Socket;
  /** How long a page may take to become what it should be. Milliseconds. */
  abstract readonly withinMs: number;
}

const MOST_BYTES = 2 * 1024 * 1024;
const TRY_MS = 15_000;

/** Asks the edge for a site's first page, as a visitor would, until it is a 200 that holds the text; fails with what was found instead. */
export async function confirmPage(door: EdgeDoor, hostname: string, expected: string, signal?: AbortSignal): Promise<void> {
  const deadline = Date.now() + door.withinMs;
  for (let wait = 50; ; wait = Math.min(wait * 2, 1_000)) {
    const found = await visit(door, hostname, signal).then((page) => wrongWith(page, expected), (error: Error) => `fails (${error.message})`);
    if (found === undefined) return;
    if (signal?.aborted) throw new ProviderError(`Called off while the page of ${hostname} was looked at.`, true);
    if (Date.now() + wait > deadline) throw new ProviderError(`The first page of ${hostname}, asked for through the edge, ${found}.`, false);
    await sleep(wait, undefined, { signal }).catch(() => undefined);
  }
}

interface Page {
  readonly status: number;
  readonly location: string;
  readonly html: string;
}

function wrongWith({ status, location, html }: Page, expected: string): string | undefined {
  if (status !== 200) return `answers ${status}${location ? ` and leads to ${location}` : ''}`;
  if (/<body[^>]*class="[^"]*\bwp-core-ui\b/.test(html)) return 'is not the site but a form of its administration';
  return lettersOf(html).includes(lettersOf(expected)) ? undefined : `does not hold "${expected}"`;
}

/** Only letters and digits, for a page writes quotes and signs in its own way. */
function lettersOf(html: string): string {
  const plain = html.replace(/&#(x?)([0-9a-f]+);/gi, (_, hex: string, digits: string) => {
    const code = parseInt(digits, hex ? 16 : 10);
    return code <= 0x10ffff ? String.fromCodePoint(code) : '';
  });
  return plain.replace(/&[a-z]+;/gi, '').replace(/[^\p{L}\p{N}]+/gu, '').toLowerCase();
}

function visit(door: EdgeDoor, hostname: string, signal?: AbortSignal): Promise<Page> {
  return new Promise((resolve, reject) => {
    const host = door.httpPort === 80 ? hostname : `${hostname}:${door.httpPort}`;
    const sent = request({ createConnection: () => door.connect(), path: '/', headers: { host, 'user-agent': 'hostplane' }, timeout: TRY_MS, signal }, (response) => {
      let html = '';
      const done = () => resolve({ status: response.statusCode ?? 0, location: response.headers.location ?? '', html });
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        html += chunk;
        if (html.length < MOST_BYTES) return;
        done();
        response.destroy();
      });
      response.on('end', done);
      response.on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${TRY_MS / 1000} s`)));
    sent.on('error', reject);
    sent.end();
  });
}
