import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { EdgeRules } from '#contracts/gen/hostplane/v1/edge_rules.js';
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

describe('rules', () => {
  const rules: EdgeRules = { httpsOnly: false, hsts: undefined, maxBodyBytes: 0, targetTimeoutSeconds: 0, users: [], allow: [], deny: [], maintenance: undefined, errorPages: [] };
  const shop = (more: Partial<EdgeRules>): EdgeRoute => ({ ...container('shop', 'shop.localhost', 'shop.example.com'), redirects: [{ hostname: 'www.example.com', to: 'shop.example.com', status: 301 }], rules: { ...rules, ...more } });
  const linesOf = (...routes: EdgeRoute[]) => render(table(...routes), settings).files['nginx.conf']!.split('\n').filter((line) => !line.includes('return 200'));
  /** What a configuration has more than that of the same site without rules. */
  const added = (more: Partial<EdgeRules>): string[] => {
    const plain = linesOf(shop({}));
    return linesOf(shop(more)).filter((line) => !plain.includes(line)).map((line) => line.trim());
  };
  const passwordHash = `$2b$05$${'a'.repeat(53)}`;

  it('that ask for nothing leave the bytes as they are', () => {
    expect(linesOf(shop({}))).toEqual(linesOf({ ...container('shop', 'shop.localhost', 'shop.example.com'), redirects: [{ hostname: 'www.example.com', to: 'shop.example.com', status: 301 }] }));
  });

  it('that a map can say are a line a hostname, redirecting ones too', () => {
    expect(added({ httpsOnly: true, hsts: { maxAgeSeconds: 60, includeSubdomains: true, preload: false } })).toEqual([
      '"shop.example.com" 1;', '"shop.localhost" 1;', '"www.example.com" 1;',
      ...['shop.example.com', 'shop.localhost', 'www.example.com'].map((name) => `"${name}" "max-age=60; includeSubDomains";`),
    ]);
  });

  it('that no map can say give the site a server of its own', () => {
    const own = added({ maxBodyBytes: 4096, targetTimeoutSeconds: 9, deny: ['10.0.0.7', '10.0.0.0/8'], allow: ['10.1.0.0/16', '2001:db8::/32'] });
    expect(own).toEqual([
      'listen 127.0.0.1:8443 ssl;', 'server_name', '"shop.example.com"', '"shop.localhost";', 'client_max_body_size 4096;', 'error_page 403 @denied;', 'deny 10.0.0.7/32;', 'allow 10.1.0.0/16;', 'deny 10.0.0.0/8;', 'allow 2001:db8::/32;', 'deny all;',
      'try_files /$hp_token @missing;', 'proxy_read_timeout 9s;', 'proxy_send_timeout 9s;',
    ]);
  });

  it('never take more than the host does', () => {
    expect(added({ maxBodyBytes: 2 ** 40 })).toContain('server_name');
    expect(added({ maxBodyBytes: 2 ** 40 }).join()).not.toContain('1099511627776');
  });

  it('bring nothing that a person wrote into the configuration but the hash of it', () => {
    const written = { users: [{ name: 'ann', passwordHash }], maintenance: { text: 'Back; at "noon" $1 }', retryAfterSeconds: 9 }, errorPages: [{ status: 502, html: '<p>$x;}</p>', file: '' }] };
    const { files: texts, kept } = render(table(shop(written)), settings);
    for (const word of ['ann', passwordHash, 'noon', '$x;']) expect(texts['nginx.conf']).not.toContain(word);
    expect(Object.keys(kept).every((hash) => texts['nginx.conf']!.includes(`kept/${hash}`))).toBe(true);
    expect(Object.values(kept).sort()).toEqual([expect.stringContaining('Back; at &#34;noon&#34; $1 }'), '<p>$x;}</p>']);
    expect(Object.values(render(table(shop({ users: written.users })), settings).kept)).toEqual([`ann:${passwordHash}\n`]);
  });
});

describe('proxies', () => {
  const conf = (more: Partial<RenderSettings>) => render(table(), { ...settings, ...more }).files['nginx.conf']!;
  it('are believed when they are in a trusted range', () => {
    expect(conf({ proxyRanges: ['192.0.2.9/24', '2001:db8::/32'] }).match(/set_real_ip_from .*|.*2001:db8.* 1;/g)).toEqual(['set_real_ip_from 192.0.2.0/24;', 'set_real_ip_from 2001:db8::/32;', '        2001:db8::/32 1;']);
    expect(conf({})).not.toContain('set_real_ip_from');
    expect(() => conf({ proxyRanges: ['10.0.0.0/8;'] })).toThrow(/HOSTPLANE_PROXY_RANGES/);
  });
  it('that speak the PROXY protocol do so on each port, and no header is believed', () => {
    const text = conf({ proxyProtocol: true, proxyRanges: ['192.0.2.0/24'] });
    expect(text.match(/listen .*;/g)!.every((line) => line.includes(' proxy_protocol'))).toBe(true);
    expect(text.match(/real_ip_header .*|.*192.0.2.0.*/g)).toEqual(['    set_real_ip_from 192.0.2.0/24;', 'real_ip_header proxy_protocol;']);
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
