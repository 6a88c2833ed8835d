import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import pc from 'picocolors';
import { showExample } from './example.js';
import { lockFolder } from './lock.js';
import { Plane } from './plane.js';
import { consoleSay, type Say } from './say.js';
import { apiUrl, readSettings } from './settings.js';
import { credentialsFile, signIn } from './sign-in.js';

/** The launcher: the whole plane on this machine, an example site, and then it waits for Ctrl-C. */
async function main(): Promise<void> {
  const say = consoleSay();
  let plane: Plane | undefined;
  let unlock: (() => void) | undefined;
  const leave = leaver(say, async () => {
    await plane?.stop();
    unlock?.();
  }, () => plane?.kill());
  try {
    const settings = readSettings(process.env);
    mkdirSync(settings.HOSTPLANE_DATA, { recursive: true, mode: 0o711 });
    unlock = lockFolder(settings.HOSTPLANE_DATA);
    const url = apiUrl(settings);
    const { token, isNew } = signIn(url);
    plane = new Plane({ env: process.env, adminToken: token, say });
    await plane.start();
    await showExample({ url, token }, settings.HOSTPLANE_DATA, say);
    greet(say, url, settings.HOSTPLANE_DATA, isNew ? token : undefined);
  } catch (error) {
    if (leave.isLeaving()) return;
    say.failed(error instanceof Error ? error.message : String(error));
    await leave.now(1);
  }
}

function greet(say: Say, url: string, folder: string, newToken: string | undefined): void {
  say.line();
  say.line(`  ${pc.bold('API')}     ${url}/api/v1   ${pc.dim(`(described at ${url}/api/docs)`)}`);
  say.line(newToken
    ? `  ${pc.bold('Token')}   ${newToken}   ${pc.dim(`(admin; shown this once, kept for the CLI in ${credentialsFile()})`)}`
    : `  ${pc.bold('Token')}   ${pc.dim(`in ${credentialsFile()}; the CLI uses it`)}`);
  say.line(`  ${pc.bold('Data')}    ${folder}   ${pc.dim(`(logs in ${join(folder, 'logs')})`)}`);
  say.line();
  say.line('  Try, in another terminal:');
  for (const [command, what] of TRY) say.line(`    ${pc.cyan(`npx hostplane ${command}`.padEnd(58))} ${pc.dim(what)}`);
  say.line();
  say.line('  Ctrl-C stops everything; npm start brings it back as it was.');
}

const TRY = [
  ['site list', 'what is there'],
  ['site create mine --dir infra/start/example', 'a folder goes live'],
  ['events tail', 'what happens, as it happens'],
  ['--help', 'everything else'],
] as const;

/** Stops in order at the first signal, at once at the second. */
function leaver(say: Say, stop: () => Promise<void>, kill: () => void) {
  let firstAt = 0;
  const now = async (code: number) => {
    firstAt ||= Date.now();
    await stop().catch((error: Error) => say.failed(error.message));
    process.exit(code);
  };
  const onSignal = () => {
    // npm and the terminal may both pass one Ctrl-C on: two signals at nearly the same time are one.
    if (firstAt && Date.now() - firstAt < 700) return;
    if (firstAt) {
      say.line('  Stopping at once.');
      kill();
      process.exit(130);
    }
    say.line();
    say.line('  Stopping (Ctrl-C again stops at once).');
    void now(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect'] as const) process.on(signal, onSignal);
  return { now, isLeaving: () => firstAt > 0 };
}

await main();
