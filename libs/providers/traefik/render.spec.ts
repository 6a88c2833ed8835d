import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import type { EdgeRules } from '#contracts/gen/hostplane/v1/edge_rules.js';
import { acceptedNames } from '../../../test/support/hostile-names.js';
import { oneHostileRule } from '../../../test/support/hostile-rules.js';
import type { EdgeRoute, RouteTable } from '../edge.js';
import { ProviderError } from '../provider-error.js';
import type { TraefikDocument } from './document.js';
import { mistakesOf } from './mistakes.js';
import { renderTraefik, type TraefikSettings } from './render.js';

const schemaFile = join(resolve(import.meta.dirname, '../../..', process.env['HOSTPLANE_SPECS'] ?? '../shared/specs'), 'traefik-v3-file-provider.json');
const settings: TraefikSettings = { planeId: 'plane-1', edgeUrl: 'http://127.0.0.1:8080', http: 'web', https: 'websecure', isDirect: true };
const none: EdgeRules = { httpsOnly: false, hsts: undefined, maxBodyBytes: 0, targetTimeoutSeconds: 0, users: [], allow: [], deny: [], maintenance: undefined, errorPages: [] };
const passwordHash = `$2b$05$${'a'.repeat(53)}`;
const shop = (rules: Partial<EdgeRules> = {}, more: Partial<EdgeRoute> = {}): EdgeRoute => ({ siteId: 'shop', hostnames: ['shop.localhost', 'shop.example.com'], target: { address: '10.77.0.3', port: 8080, root: '' }, state: 'up', rules: { ...none, ...rules }, ...more });
const docs: EdgeRoute = { siteId: 'docs', hostnames: ['docs.localhost'], target: { address: '', port: 0, root: 'docs/current' }, state: 'up' };
const table = (...routes: EdgeRoute[]): RouteTable => ({ revision: 7, routes });
const documentOf = (...routes: EdgeRoute[]) => JSON.parse(renderTraefik(table(...routes), settings).text) as TraefikDocument;
const full = [
  shop({ httpsOnly: true, hsts: { maxAgeSeconds: 600, includeSubdomains: true, preload: false }, users: [{ name: 'ann', passwordHash }] }, { redirects: [{ hostname: 'www.example.com', to: 'shop.example.com', status: 301 }, { hostname: 'old.example.com', to: 'shop.example.com', status: 308 }] }),
  docs,
  shop({ maxBodyBytes: 9 }, { siteId: 'big', hostnames: ['big.localhost'] }),
  shop({ allow: ['10.0.0.0/8'] }, { siteId: 'inside', hostnames: ['inside.localhost'] }),
  shop({ hsts: { maxAgeSeconds: 0, includeSubdomains: true, preload: false } }, { siteId: 'off', hostnames: ['off.localhost'] }),
  shop({}, { siteId: 'idle', hostnames: ['idle.localhost'], state: 'stopped' }),
];

describe('the document for Traefik', () => {
  it('leads to containers straight away, by the rules that Traefik carries out', () => {
    const { routers, services, middlewares } = documentOf(...full).http;
    const rule = 'Host(`shop.example.com`) || Host(`shop.localhost`)';
    expect(routers['site-shop-example-com']).toEqual({ entryPoints: ['web'], rule, service: 'site-shop-example-com', middlewares: ['hostplane-https', 'hsts-site-shop-example-com', 'hostplane-claims', 'users-site-shop-example-com'] });
    expect(routers['tls-site-shop-example-com']).toEqual({ entryPoints: ['websecure'], rule, service: 'site-shop-example-com', middlewares: ['hsts-site-shop-example-com', 'hostplane-claims', 'users-site-shop-example-com'], tls: {} });
    expect(services['site-shop-example-com']).toEqual({ loadBalancer: { servers: [{ url: 'http://10.77.0.3:8080' }], passHostHeader: true } });
    expect(middlewares).toMatchObject({
      'hostplane-https': { redirectScheme: { scheme: 'https', permanent: true } }, 'hsts-site-shop-example-com': { headers: { stsSeconds: 600, stsIncludeSubdomains: true, stsPreload: false } },
      'hostplane-claims': { headers: { customRequestHeaders: { Forwarded: '', Proxy: '', 'True-Client-IP': '', 'CF-Connecting-IP': '' } } }, 'users-site-shop-example-com': { basicAuth: { users: [`ann:${passwordHash}`], realm: 'Restricted', removeHeader: true } },
    });
  });

  it('leaves containers to the edge unless it is told otherwise', () => {
    const { http } = JSON.parse(renderTraefik(table(...full), { ...settings, isDirect: false }).text) as TraefikDocument;
    expect([Object.keys(http.services).sort(), JSON.stringify(http).includes('10.77.0.3'), http.routers['site-shop-example-com']!.service, http.routers['site-www-example-com']!.middlewares]).toEqual([['hostplane-edge', 'hostplane-writes'], false, 'hostplane-edge', ['hostplane-https', 'hsts-site-www-example-com', 'to-site-www-example-com']]);
  });

  it('passes everybody else on to the edge of the host', () => {
    const { routers } = documentOf(...full).http;
    const passed = Object.entries(routers).filter(([name, { service }]) => !name.startsWith('tls-') && service === 'hostplane-edge').map(([name]) => name);
    expect(passed.sort()).toEqual(['hostplane-edge', 'hostplane-proofs', ...['big', 'docs', 'idle', 'inside', 'off'].map((name) => `site-${name}-localhost`), 'site-old-example-com', 'site-www-example-com']);
    expect(routers['hostplane-edge']).toMatchObject({ rule: 'PathPrefix(`/`)', priority: 1 });
    expect(routers['hostplane-proofs']!.rule).toMatch(/^PathPrefix\(`\/\.well-known\/acme-challenge\/`\) && \(Host\(`big\.localhost`\) \|\| .* \|\| Host\(`www\.example\.com`\)\)$/);
  });

  it('wants a certificate for each hostname that can have one', () => {
    const { routers } = (JSON.parse(renderTraefik(table(...full), { ...settings, certResolver: 'le' }).text) as TraefikDocument).http;
    expect(routers['tls-site-shop-example-com']!.tls).toEqual({ certResolver: 'le', domains: [{ main: 'shop.example.com' }] });
    expect([routers['tls-site-docs-localhost']!.tls, routers['tls-hostplane-edge']!.tls]).toEqual([{}, {}]);
    const stopped = ['a.example.com', 'b.example.com'].map((hostname) => shop({}, { siteId: hostname, hostnames: [hostname], state: 'stopped' }));
    const together = (JSON.parse(renderTraefik(table(...stopped), { ...settings, certResolver: 'le' }).text) as TraefikDocument).http.routers['tls-site-a-example-com']!;
    expect([together.rule, together.tls?.domains]).toEqual(['Host(`a.example.com`) || Host(`b.example.com`)', [{ main: 'a.example.com' }, { main: 'b.example.com' }]]);
  });

  it('sends a redirect on with path, port and query', () => {
    const to = documentOf(...full).http.middlewares['to-site-www-example-com'] as { redirectRegex: { regex: string; replacement: string } };
    const moved = (url: string) => url.replace(new RegExp(to.redirectRegex.regex), to.redirectRegex.replacement.replace(/\$\{(\d)\}/g, '$$$1'));
    expect(['http://www.example.com/a?b=/c', 'https://www.example.com:8443/'].map(moved)).toEqual(['http://shop.example.com/a?b=/c', 'https://shop.example.com:8443/']);
  });

  it('is the same in whatever order the routes come, and tells its version and hash', () => {
    const [one, other] = [renderTraefik(table(...full), settings), renderTraefik(table(...[...full].reverse()), settings)];
    expect(one).toEqual(other);
    expect(JSON.parse(one.text).http.middlewares['hostplane-version'].headers.customResponseHeaders).toEqual({ 'X-Hostplane-Edge': 'plane-1', 'X-Hostplane-Revision': '7', 'X-Hostplane-Hash': one.configHash });
    expect(renderTraefik({ ...table(...full), revision: 8 }, settings).configHash).not.toBe(one.configHash);
    expect(renderTraefik(table(...full), { ...settings, certResolver: 'le' }).configHash).not.toBe(one.configHash);
  });

  it('names a site whose hostname is as long and hyphenated as can be', () => {
    const label = `${'a-'.repeat(31)}a`;
    const hostname = [label, label, label, label.slice(0, 61)].join('.');
    expect([hostname.length, documentOf(shop({}, { hostnames: [hostname] })).http.routers['hostplane-edge']]).toEqual([253, expect.objectContaining({ priority: 1 })]);
  });

  it('names no two sites alike', () => {
    const names = ['a.b', 'a-b', 'a--b', 'a_b', 'a.tls', 'a', 'tls.a', 'hostplane-edge'];
    const { routers } = documentOf(...names.map((hostname, i) => shop({}, { siteId: `s${i}`, hostnames: [hostname], target: { address: '10.77.0.3', port: 1000 + i, root: '' } }))).http;
    expect(Object.keys(routers).length).toBe(2 * names.length + 6);
  });
});

describe('what the schema lets through', () => {
  const good = documentOf(...full);
  const router = (more: object): TraefikDocument => ({ http: { ...good.http, routers: { ...good.http.routers, x: { ...good.http.routers['hostplane-edge']!, ...more } } } });
  it('is found: nothing in a good document', () => expect(mistakesOf(good)).toEqual([]));
  it.each<[string, TraefikDocument, RegExp]>([
    ['a rule that cannot be read', router({ rule: 'Host(`a`' }), /cannot be read/],
    ['a rule with something behind it', router({ rule: 'Host(`a`) || Path(`/x`) && !Host(`b`)' }), /cannot be read/],
    ['a service that is not there', router({ service: 'gone' }), /"gone", which is not there/],
    ['a middleware that is not there', router({ middlewares: ['gone'] }), /middleware "gone"/],
    ['a transport that is not there', { http: { ...good.http, services: { ...good.http.services, 'hostplane-edge': { loadBalancer: { ...good.http.services['hostplane-edge']!.loadBalancer, serversTransport: 'gone' } } } } }, /transport "gone", which is not there/],
    ['no entry point', router({ entryPoints: [] }), /entry points/],
    ['an address that is none', { http: { ...good.http, services: { ...good.http.services, 'hostplane-edge': { loadBalancer: { servers: [{ url: 'http:/10.0.0.1:x' }], passHostHeader: true } } } } }, /address "http:\/10/],
    ['an address with a path', { http: { ...good.http, services: { ...good.http.services, 'hostplane-edge': { loadBalancer: { servers: [{ url: 'http://10.0.0.1/a' }], passHostHeader: true } } } } }, /address/],
    ['a service that nobody uses', { http: { ...good.http, services: { ...good.http.services, left: good.http.services['hostplane-edge']! } } }, /"left" is used by no router/],
  ])('is found: %s', (_, document, said) => expect(mistakesOf(document).join()).toMatch(said));
  it('is refused before it is written', () => expect(() => renderTraefik(table(docs), { ...settings, edgeUrl: 'nowhere' })).toThrow(ProviderError));
});

const describeWithSchema = existsSync(schemaFile) ? describe : describe.skip;
describeWithSchema(`Traefik's schema${existsSync(schemaFile) ? '' : ' (skipped: needs traefik-v3-file-provider.json in the folder that HOSTPLANE_SPECS names)'}`, () => {
  const validate = existsSync(schemaFile) ? new Ajv({ strict: false, allErrors: true }).compile(JSON.parse(readFileSync(schemaFile, 'utf8')) as object) : undefined;
  const faults = (document: unknown) => (validate!(document) ? [] : validate!.errors);

  it('takes what is rendered, empty and full', () => {
    expect([faults(documentOf()), faults(documentOf(...full)), faults(JSON.parse(renderTraefik(table(...full), { ...settings, certResolver: 'le' }).text))]).toEqual([[], [], []]);
    expect(faults({ http: { routers: { x: { rule: 'Host(`a`)' } } } })).not.toEqual([]);
  });
  it('takes whatever rules and names are let through', () => {
    const names = acceptedNames('localhost');
    fc.assert(fc.property(oneHostileRule, fc.nat(names.length - 1), (rules, i) => {
      try {
        const document = documentOf(shop(rules, { hostnames: ['bad.localhost', names[i]!] }), docs);
        expect([faults(document), mistakesOf(document)]).toEqual([[], []]);
      } catch (error) {
        expect(error).toBeInstanceOf(ProviderError);
      }
    }), { numRuns: 500 });
  });
});
