import { get } from 'node:http';
import { VERSION_HEADER } from './wordpress-start.js';

const TRY_MS = 5_000;
/** A page that needs PHP and the database, and leads elsewhere while WordPress is not installed. */
export const LOOK_PATH = '/wp-login.php';

/** What a look at a WordPress found: which start of it answers, or what was found instead. */
export type Seen = { readonly version: string } | { readonly found: string };

export function lookAt(address: string, port: number, signal?: AbortSignal): Promise<Seen> {
  return new Promise((resolve) => {
    const wrong = (what: string) => resolve({ found: `GET ${LOOK_PATH} on port ${port} ${what}` });
    const request = get({ host: address, port, path: LOOK_PATH, agent: false, timeout: TRY_MS, signal, headers: { [VERSION_HEADER]: '?' } }, (response) => {
      const version = response.headers[VERSION_HEADER];
      response.destroy();
      if (response.statusCode !== 200) wrong(`answers ${response.statusCode ?? 0}`);
      else resolve({ version: typeof version === 'string' ? version : '' });
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${TRY_MS / 1000} s`)));
    request.on('error', (error) => wrong(`fails (${error.message})`));
  });
}
