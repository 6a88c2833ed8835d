import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { EdgeRoute, RouteTable } from '../edge.js';
import { ProviderError } from '../provider-error.js';
import { mapKey, quoted } from './nginx-value.js';
import { render, type RenderSettings } from './render.js';

const settings: RenderSettings = {
  planeId: 'plane-1', folder: '/data/edge', sitesFolder: '/data/sites', bind: '127.0.0.1', httpPort: 8080, httpsPort: 8443,
  certFile: '/data/edge/certificate.pem', keyFile: '/data/edge/certificate.key', canDefer: true, workers: 2, user: { name: 'www-data', group: 'www-data' },
};
const container = (siteId: string, ...hostnames: string[]): EdgeRoute => ({ siteId, hostnames, target: { address: '10.77.0.3', port: 8080, root: '' }, state: 'up' });
const files = (siteId: string, ...hostnames: string[]): EdgeRoute => ({ siteId, hostnames, target: { address: '', port: 0, root: `${siteId}/current` }, state: 'up' });
/** The lines of the routes in a configuration. */
const routesOf = (given: RouteTable) => render(given, settings).files['nginx.conf']!.split('default "";\n').at(-1)!.split('\n').slice(0, -3).map((line) => line.trim());
const table = (...routes: EdgeRoute[]): RouteTable => ({ revision: 7, routes });

describe('the routes', () => {
  it('are one line a hostname, in the order of the hostnames', () => {
    const stopped: EdgeRoute = { ...container('s3', 'c.localhost'), state: 'stopped' };
    expect(routesOf(table(files('s2', 'b.localhost', 'www.b.localhost'), stopped, container('s1', 'a.localhost', 'default')))).toEqual(
      ['"a.localhost" "10.77.0.3:8080";', '"b.localhost" "/s2/current";', '"c.localhost" "-";', '"\\default" "10.77.0.3:8080";', '"www.b.localhost" "/s2/current";'],
    );
  });

  it('give the same bytes in whatever order they come', () => {
    const [a, b] = [container('s1', 'a.localhost', 'z.localhost'), files('s2', 'b.localhost')];
    expect(render(table(a, b), settings)).toEqual(render(table(b, { ...a, hostnames: [...a.hostnames].reverse() }), settings));
  });

  it('are all that differs between two tables of one revision, the version apart', () => {
    const lines = [table(), table(container('s', 'a.localhost'))].map((given) => render(given, settings).files['nginx.conf']!.split('\n').filter((line) => !line.includes('return 200')));
    expect(lines[1]!.filter((line) => !lines[0]!.includes(line))).toEqual(['        "a.localhost" "10.77.0.3:8080";']);
  });
});

describe('the version', () => {
  it('is the revision and a hash of everything else', () => {
    const { files: texts, configHash } = render(table(), settings);
    expect(Object.keys(texts)).toEqual(['nginx.conf']);
    expect(texts['nginx.conf']).toContain(`            return 200 '{"edge":"plane-1","revision":7,"hash":"${configHash}","pid":$pid}';\n`);
    expect(configHash).not.toBe(render({ ...table(), revision: 8 }, settings).configHash);
    expect(configHash).not.toBe(render(table(), { ...settings, httpPort: 8081 }).configHash);
  });
});

describe('a wrong value', () => {
  it.each<[string, Partial<RenderSettings>]>([
    ['an address that is none', { bind: 'localhost; x' }],
    ['a port that is none', { httpPort: 70_000 }],
    ['a folder with a dollar sign', { sitesFolder: '/data/$sites' }],
    ['a folder with a line break', { folder: '/data\n/edge' }],
    ['a plane id with a quote', { planeId: `a'b` }],
    ['a body limit that is none', { maxBodyBytes: -1 }],
    ['a user with a space', { user: { name: 'a b', group: 'c' } }],
  ])('of the settings is refused: %s', (_, wrong) => {
    expect(() => render(table(), { ...settings, ...wrong })).toThrow(ProviderError);
  });

  it('of the system is respected: sockets', () => {
    const listens = (more: Partial<RenderSettings>) => render(table(), { ...settings, ...more }).files['nginx.conf']!.match(/listen .*;/g);
    expect(listens({})).toEqual(['listen 127.0.0.1:8080;', 'listen 127.0.0.1:8080 default_server deferred;', 'listen 127.0.0.1:8443 ssl default_server deferred;']);
    expect(listens({ bind: '::', canDefer: false })).toEqual(['listen [::]:8080;', 'listen [::]:8080 default_server ipv6only=off;', 'listen [::]:8443 ssl default_server ipv6only=off;']);
  });

  it('in a folder that can be written is written so that nginx reads it as it is', () => {
    expect(render(table(), { ...settings, sitesFolder: '/my "own" \\ {sites};' }).files['nginx.conf']).toContain('root "/my \\"own\\" \\\\ {sites};$hp_route";');
  });
});

/** Text as an attacker would choose it. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 40 }),
  fc.array(fc.constantFrom('a', '.', ';', '"', "'", '{', '}', '\\', '$', '\n', '\r', '\0', ' ', '#', '~', '*', '/', '..', 'localhost', '}server{', ';include /etc/passwd;', '\u2028', '\ud800'), { maxLength: 12 }).map((parts) => parts.join('')),
);
/** A literal that is a literal and nothing else, as nginx' parser reads quotes. */
const LITERAL = /^"(?:[^"\\$\p{Cc}]|\\["\\])*"$/u;

describe('any text', () => {
  it('becomes one literal or is refused', () => {
    fc.assert(fc.property(hostile, (text) => {
      const literal = attempt(() => quoted(text, 'A value'));
      if (literal !== undefined) expect(literal).toMatch(LITERAL);
      const key = attempt(() => mapKey(text, 'A value'));
      if (key !== undefined) expect(key.replace(/^"\\(?=[a-z])/i, '"')).toMatch(LITERAL);
    }), { numRuns: 3000 });
  });

  it('in a route makes a line of two literals, or an error that names the site', () => {
    fc.assert(fc.property(hostile, hostile, hostile, fc.anything(), fc.boolean(), (hostname, address, root, port, isFiles) => {
      const target = isFiles ? { address: '', port: 0, root } : { address, port: port as number, root: '' };
      const plain = files('good', 'good.localhost');
      for (const route of [{ ...plain, siteId: 'bad', target, hostnames: ['x.localhost'] }, { ...plain, siteId: 'bad', hostnames: [hostname] }]) {
        const lines = attempt(() => routesOf(table(plain, route)), 'bad');
        for (const line of lines ?? []) expect(line).toMatch(/^"\\?[a-z0-9._-]+" "[A-Za-z0-9._/:-]+";$/);
      }
    }), { numRuns: 3000 });
  });
});

/** The value, or undefined when it is refused as the world's fault that no repetition mends. */
function attempt<T>(run: () => T, names = ''): T | undefined {
  try {
    return run();
  } catch (error) {
    expect(error).toBeInstanceOf(ProviderError);
    expect((error as ProviderError).retryable).toBe(false);
    expect((error as ProviderError).message).toContain(names);
    return undefined;
  }
}
