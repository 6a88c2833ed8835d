import { ConfigError, readConfig } from './config.js';
import { installFaults } from './faults.js';
import { logLevel } from './fields.js';
import { createLogger, type Logger } from './logger.js';
import { z } from 'zod';

export interface AppContext {
  readonly name: string;
  readonly log: Logger;
  readonly env: NodeJS.ProcessEnv;
}

/** What was started, and how it ends: take nothing new, finish what is under way, let go. */
export interface Running {
  stop(): Promise<void>;
}

const STOP_DEADLINE_MS = 10_000;

/**
 * The whole life of a process, for every main.ts. Starts, tells a parent process `{ ready: name }`, and stops gracefully (within ten
 * seconds) on SIGTERM, SIGINT or when the parent goes away. An error that nobody caught is logged and ends it with code 1.
 */
export async function runApp(name: string, start: (app: AppContext) => Promise<Running>): Promise<void> {
  const env = process.env;
  const log = createLogger({ app: name, level: levelOf(env) });
  process.on('uncaughtException', (err) => die(log, err, 'An error that nobody caught'));
  process.on('unhandledRejection', (err) => die(log, err, 'A rejected promise that nobody awaited'));
  installFaults(name, env);
  const running = start({ name, log, env });
  stopOnSignals(log, running);
  try {
    await running;
  } catch (err) {
    return die(log, err, 'Could not start');
  }
  process.send?.({ ready: name });
  log.info('Started');
}

function stopOnSignals(log: Logger, running: Promise<Running>): void {
  let stopping = false;
  const stop = (reason: string, code: number) => {
    if (stopping) return process.exit(1);
    stopping = true;
    log.info({ reason }, 'Stopping');
    setTimeout(() => die(log, new Error(`Not stopped after ${STOP_DEADLINE_MS} ms.`), 'Could not stop'), STOP_DEADLINE_MS).unref();
    running.then((app) => app.stop()).then(
      () => {
        log.info('Stopped');
        process.exit(code);
      },
      (err: unknown) => die(log, err, 'Could not stop'),
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM', 0));
  process.on('SIGINT', () => stop('SIGINT', 0));
  if (process.send) process.on('disconnect', () => stop('the parent process went away', 0));
}

function levelOf(env: NodeJS.ProcessEnv): string {
  try {
    return readConfig(z.object({ LOG_LEVEL: logLevel().default('info') }), env).LOG_LEVEL;
  } catch {
    return 'info';
  }
}

/** What a person can mend is said in words, the rest with its stack. */
function die(log: Logger, err: unknown, what: string): never {
  if (err instanceof ConfigError) log.fatal(err.message);
  else log.fatal({ err }, what);
  process.exit(1);
}
