import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { writePrivate } from './credentials.js';

interface SignedIn {
  readonly contexts: Readonly<Record<string, { readonly token: string }>>;
  readonly current?: string;
}

/** The CLI's own file: which planes this user is signed in to. */
export function credentialsFile(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'), 'hostplane', 'credentials.json');
}

/** Signs the CLI in to a plane on this machine. The token that is there is kept; `isNew` says whether one was made now. */
export function signIn(apiUrl: string, file = credentialsFile()): { token: string; isNew: boolean } {
  const before = read(file);
  const kept = before.contexts[apiUrl]?.token;
  const token = kept ?? `hp_${randomBytes(32).toString('base64url')}`;
  if (!kept || before.current === undefined) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writePrivate(file, { ...before, contexts: { ...before.contexts, [apiUrl]: { ...before.contexts[apiUrl], token } }, current: apiUrl });
  }
  return { token, isNew: !kept };
}

function read(file: string): SignedIn {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return { contexts: {} };
  }
  try {
    return { contexts: {}, ...(JSON.parse(text) as Partial<SignedIn>) };
  } catch {
    throw new Error(`${file} is not JSON. Mend it, or move it away: a new one is made.`);
  }
}
