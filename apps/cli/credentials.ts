import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { UsageError } from './exit-codes.js';

export const DEFAULT_URL = 'http://127.0.0.1:7080';

const file = z.object({
  contexts: z.record(z.string(), z.object({ token: z.string() })),
  current: z.string().optional(),
});
export type Credentials = z.output<typeof file>;

export function credentialsPath(env: NodeJS.ProcessEnv): string {
  return join(env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'), 'hostplane', 'credentials.json');
}

export function readCredentials(env: NodeJS.ProcessEnv): Credentials {
  const path = credentialsPath(env);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { contexts: {} };
    throw error;
  }
  try {
    return file.parse(JSON.parse(text));
  } catch {
    throw new UsageError(`${path} is not a credentials file any more. Remove it and sign in again: hostplane login`);
  }
}

/** Replaces the file in one step; only the user may read it. */
export function writeCredentials(env: NodeJS.ProcessEnv, credentials: Credentials): void {
  const path = credentialsPath(env);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const staged = `${path}.${process.pid}`;
  writeFileSync(staged, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 });
  chmodSync(staged, 0o600);
  renameSync(staged, path);
}

/** Where to, and as whom: what was said on the command line, then the environment, then the file. */
export function chooseContext(env: NodeJS.ProcessEnv, said: { url?: string; token?: string }): { url: string; token?: string } {
  const stored = said.url && said.token ? { contexts: {} } : readCredentials(env);
  const url = normalUrl(said.url || env['HOSTPLANE_URL'] || stored.current || DEFAULT_URL);
  const token = said.token || env['HOSTPLANE_TOKEN'] || stored.contexts[url]?.token;
  return token ? { url, token } : { url };
}

/** One spelling a server: the API's base path and slashes at the end are left out. */
export function normalUrl(url: string): string {
  if (!URL.canParse(url) || !/^https?:/.test(url)) throw new UsageError(`"${url}" is not the address of a server. It looks like ${DEFAULT_URL}.`);
  return url.replace(/\/+$/, '').replace(/\/api\/v1$/, '');
}
