import { afterAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from './credentials.js';
import { signIn } from './sign-in.js';

const folder = mkdtempSync(join(tmpdir(), 'hostplane-credentials-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8);

describe('passwords', () => {
  it('are made once, and only those that are missing; nobody else may read them', () => {
    const first = credentials(folder, { postgres: ['a'], nats: ['x'] });
    const second = credentials(folder, { postgres: ['a', 'b'], nats: ['x'] });
    expect(second.postgres.a).toBe(first.postgres.a);
    expect(second.postgres.b).toMatch(/^[\w-]{32}$/);
    expect(modeOf(join(folder, 'credentials.json'))).toBe('600');
  });
  it('that cannot be read are never made anew', () => {
    writeFileSync(join(folder, 'credentials.json'), '{');
    expect(() => credentials(folder, { postgres: ['a'], nats: [] })).toThrow(/put a copy back/);
  });
});

describe('signing in', () => {
  const file = join(folder, 'config', 'credentials.json');
  it('makes a token for a plane once, and keeps those of others', () => {
    const first = signIn('http://127.0.0.1:7080', file);
    expect(first).toEqual({ token: expect.stringMatching(/^hp_[\w-]{43}$/), isNew: true });
    expect(signIn('http://127.0.0.1:7081', file).isNew).toBe(true);
    expect(signIn('http://127.0.0.1:7080', file)).toEqual({ token: first.token, isNew: false });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ contexts: { 'http://127.0.0.1:7080': { token: first.token } }, current: 'http://127.0.0.1:7081' });
    expect(modeOf(file)).toBe('600');
  });
});
