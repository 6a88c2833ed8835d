import { describe, expect, it } from '@jest/globals';
import type { SiteRequested } from '#contracts/gen/hostplane/v1/site.js';
import { Refusal } from '../refusal.js';
import { checkRequest, defaultRuntime, usualDatabase } from './request.js';

const wordpress = { phpVersion: '8.3', title: "Tom & Jerry's", adminUser: 'admin', adminEmail: 'me@example.com', locale: 'de_DE', database: 'shared' };
const request: SiteRequested = {
  siteId: 's', projectId: 'p', operationId: 'o', ownerId: 'ann', name: 'blog', kind: 'wordpress', runtime: 'docker', hostId: 'local', hostname: 'blog', address: '', subnet: '',
  app: undefined, wordpress, limits: undefined, dataId: '', backupId: '', releaseId: '', content: undefined,
};
const MIB = 1024 ** 2;

/** The field that a request is refused for, or undefined. */
function fieldOf(site: SiteRequested): string | undefined {
  try {
    checkRequest(site);
    return undefined;
  } catch (error) {
    if (error instanceof Refusal && error.code === 'invalid') return error.field;
    throw error;
  }
}

describe('a WordPress site that is asked for', () => {
  it.each([{}, { phpVersion: '', adminEmail: '', locale: '' }, { database: 'own' }, { title: '日本語' }, { adminUser: 'Jane Doe' }, { locale: 'de_DE_formal' }, { adminEmail: 'admin@blog.localhost' }])('is taken with %j', (part) => {
    expect(fieldOf({ ...request, wordpress: { ...wordpress, ...part } })).toBeUndefined();
  });
  it.each([
    ['phpVersion', { phpVersion: '8' }], ['phpVersion', { phpVersion: '8.3-evil' }], ['title', { title: '' }], ['title', { title: '  ' }], ['title', { title: 'a\nb' }], ['title', { title: 'x'.repeat(201) }],
    ['adminUser', { adminUser: '' }], ['adminUser', { adminUser: ' a' }], ['adminUser', { adminUser: "a'; --" }], ['adminUser', { adminUser: 'x'.repeat(61) }],
    ['adminEmail', { adminEmail: 'me' }], ['adminEmail', { adminEmail: 'me@example' }], ['adminEmail', { adminEmail: 'a b@example.com' }], ['adminEmail', { adminEmail: `me@${'x'.repeat(95)}.com` }],
    ['locale', { locale: 'German' }], ['locale', { locale: '../x' }], ['database', { database: 'mine' }],
  ])('is refused for its %s: %j', (field, part) => {
    expect(fieldOf({ ...request, wordpress: { ...wordpress, ...part } })).toBe(field);
  });
  it('needs its settings, runs in a container, and takes no app', () => {
    expect(fieldOf({ ...request, wordpress: undefined })).toBe('title');
    expect(fieldOf({ ...request, runtime: 'files' })).toBe('runtime');
    expect(fieldOf({ ...request, app: { image: 'x', port: 80, env: {}, healthPath: '/', sealedEnv: [], secretEnv: [] } })).toBe('image');
    expect(fieldOf({ ...request, kind: 'static', runtime: 'files' })).toBe('kind');
  });
  it('at Coolify has a database server of its own, and no other', () => {
    const at = (database: string) => fieldOf({ ...request, runtime: 'coolify', wordpress: { ...wordpress, database } });
    expect([at('own'), at('shared'), usualDatabase('coolify'), usualDatabase('docker')]).toEqual([undefined, 'database', 'own', 'shared']);
  });
  it('runs where containers of this plane run, when nobody says where', () => {
    expect(['docker', 'coolify'].map((place) => defaultRuntime('wordpress', place))).toEqual(['docker', 'coolify']);
  });
});

describe('limits that are asked for', () => {
  const none = { memoryBytes: 0, cpuMillis: 0, pids: 0 };
  it.each([none, { ...none, memoryBytes: 128 * MIB }, { ...none, cpuMillis: 500, pids: 64 }])('are taken: %j', (limits) => expect(fieldOf({ ...request, limits })).toBeUndefined());
  it.each([['memoryBytes', 64 * MIB], ['memoryBytes', 0.5], ['cpuMillis', 5], ['pids', -1]])('are refused: %s %d', (field, value) => {
    expect(fieldOf({ ...request, limits: { ...none, [field]: value } })).toBe(`limits.${field}`);
  });
  it('are for containers', () => {
    expect(fieldOf({ ...request, kind: 'static', runtime: 'files', wordpress: undefined, limits: { ...none, pids: 9 } })).toBe('limits');
    expect(fieldOf({ ...request, kind: 'static', runtime: 'files', wordpress: undefined, limits: none })).toBeUndefined();
  });
});
