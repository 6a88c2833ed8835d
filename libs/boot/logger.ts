import type { LoggerService } from '@nestjs/common';
import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';
import { withSourcePlaces } from './source-places.js';

export type { Logger };

const HIDDEN = '[hidden]';
const SECRET_KEY = /^(authorization|cookie|set-cookie|env|environment|.*(token|password|passwd|secret|credentials?))$/i;

/**
 * One JSON line an event, to standard output unless a destination is given. Whatever hangs under a key that names a secret (token,
 * password, authorization, env, …) is hidden, and so are tokens and passwords of addresses in any text.
 */
export function createLogger(options: { app: string; level?: string; destination?: DestinationStream }): Logger {
  const settings = {
    base: { app: options.app },
    level: options.level ?? 'info',
    timestamp: stdTimeFunctions.isoTime,
    formatters: {
      level: (level: string) => ({ level }),
      log: (fields: Record<string, unknown>) => withoutSecrets(fields) as Record<string, unknown>,
    },
    hooks: { streamWrite: (line: string) => withSourcePlaces(withoutTokens(line)) },
  };
  return options.destination ? pino(settings, options.destination) : pino(settings, pino.destination({ fd: 1, sync: true }));
}

/** Lets NestJS speak through our logger; its start-up lines are for those who debug. */
export function nestLogger(log: Logger): LoggerService {
  const say = (level: 'debug' | 'info' | 'warn' | 'error' | 'fatal') => (message: unknown, ...rest: unknown[]) => {
    const context = rest.length > 0 ? String(rest.at(-1)) : undefined;
    const stack = rest.length > 1 && typeof rest[0] === 'string' ? rest[0] : undefined;
    if (message instanceof Error) log[level]({ err: message, context });
    else log[level]({ context, stack }, typeof message === 'string' ? message : JSON.stringify(message));
  };
  return { log: say('debug'), debug: say('debug'), verbose: say('debug'), warn: say('warn'), error: say('error'), fatal: say('fatal') };
}

/** A copy in which every value under a secret's key is hidden; what is not plain data is left as it is. */
function withoutSecrets(value: unknown, depth = 0): unknown {
  if (Array.isArray(value)) return depth > 6 ? value : value.map((item) => withoutSecrets(item, depth + 1));
  if (!isPlain(value) || depth > 6) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, held]) => [key, SECRET_KEY.test(key) && held !== undefined ? HIDDEN : withoutSecrets(held, depth + 1)]),
  );
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function withoutTokens(line: string): string {
  return line.replace(/\bhp_[A-Za-z0-9_-]{8,}/g, `hp_${HIDDEN}`).replace(/([a-z][a-z0-9+.-]*:\/\/[^\s:/@"\\]*):[^\s/@"\\]+@/gi, `$1:${HIDDEN}@`);
}
