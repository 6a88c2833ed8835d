import type { z } from 'zod';

/** The environment is wrong: one line a variable, for the person who starts the process. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const SECRET_NAME = /(URL|TOKEN|PASSWORD|SECRET|KEY)$/;

/**
 * Reads what a process needs of its environment. The schema's keys are the variables' names; an empty variable counts as unset.
 * Throws one ConfigError that names every wrong variable, its value (hidden when the name says that it is secret) and what is allowed.
 */
export function readConfig<S extends z.ZodObject>(schema: S, env: NodeJS.ProcessEnv = process.env): z.infer<S> {
  const given = Object.fromEntries(Object.keys(schema.shape).flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
  const read = schema.safeParse(given);
  if (read.success) return read.data;
  const wrong = read.error.issues.map((issue) => complaint(String(issue.path[0] ?? ''), given, issue.message));
  throw new ConfigError(`The configuration is wrong.\n${[...new Set(wrong)].map((line) => `  ${line}`).join('\n')}`);
}

function complaint(name: string, given: Readonly<Record<string, string | undefined>>, allowed: string): string {
  if (name === '') return allowed;
  const value = given[name];
  if (value === undefined) return `${name} is not set: ${allowed}`;
  return `${name} is ${SECRET_NAME.test(name) ? 'set (its value is hidden)' : JSON.stringify(value)}: ${allowed}`;
}
