import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A password for each name: made once, kept in `<data>/credentials.json`, readable by this user alone. */
export interface Credentials<P extends string, N extends string> {
  readonly postgres: Readonly<Record<P, string>>;
  readonly nats: Readonly<Record<N, string>>;
}

/** Reads the passwords, and makes those that are missing; what is there never changes. */
export function credentials<P extends string, N extends string>(folder: string, names: { postgres: readonly P[]; nats: readonly N[] }): Credentials<P, N> {
  const file = join(folder, 'credentials.json');
  const kept = existsSync(file) ? parse(file) : {};
  const full = { postgres: { ...fresh(names.postgres), ...kept.postgres }, nats: { ...fresh(names.nats), ...kept.nats } };
  writePrivate(file, full);
  return full as Credentials<P, N>;
}

/** Puts a JSON file in place whole, readable by this user alone. */
export function writePrivate(file: string, content: unknown): void {
  const staged = `${file}.${process.pid}.new`;
  rmSync(staged, { force: true });
  writeFileSync(staged, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(staged, file);
}

function parse(file: string): Partial<Credentials<string, string>> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Partial<Credentials<string, string>>;
  } catch (error) {
    throw new Error(`${file} cannot be read (${(error as Error).message}). It holds the passwords of this plane's database and bus: put a copy back, or remove the whole data folder to begin anew.`);
  }
}

function fresh(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, randomBytes(24).toString('base64url')]));
}
