import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { EdgeRules } from '#contracts/gen/hostplane/v1/edge_rules.js';
import { acceptedNames } from '../../../test/support/hostile-names.js';
import { hostileRules, hostileText, oneHostileRule } from '../../../test/support/hostile-rules.js';
import { readDirectives, type Directive } from '../../../test/support/nginx-directives.js';
import type { EdgeRoute } from '../edge.js';
import { ProviderError } from '../provider-error.js';
import { render, type RenderSettings } from './render.js';

const settings: RenderSettings = { planeId: 'plane-1', folder: '/data/edge', sitesFolder: '/data/sites', bind: '127.0.0.1', httpPort: 8080, httpsPort: 8443, certFile: '/data/c.pem', keyFile: '/data/k.pem', canDefer: true, workers: 2 };
const good: EdgeRoute = { siteId: 'good', hostnames: ['good.localhost'], target: { address: '10.77.0.3', port: 80, root: '' }, state: 'up' };
const bad = (more: Partial<EdgeRoute>): EdgeRoute => ({ siteId: 'bad', hostnames: ['bad.localhost'], target: { address: '', port: 0, root: 'bad/current' }, state: 'up', ...more });

/** The directives of a configuration, or undefined when the table is refused in words that name the site. */
function directivesOf(route: EdgeRoute): readonly Directive[] | undefined {
  try {
    return readDirectives(render({ revision: 7, routes: [good, route] }, settings).files['nginx.conf']!);
  } catch (error) {
    expect(error).toBeInstanceOf(ProviderError);
    expect(error).toMatchObject({ retryable: false, message: expect.stringContaining('bad') });
    return undefined;
  }
}

const httpOf = (directives: readonly Directive[]) => directives.find(({ words }) => words[0] === 'http')!.block!;
const ownServer = (directives: readonly Directive[]) => httpOf(directives).find(({ words, block }) => words[0] === 'server' && block!.some((one) => one.words[0] === 'server_name' && one.words.includes('bad.localhost')));

/** Everything that a site's rules may add to a server of its own, and how many words it has. */
const ALLOWED: Readonly<Record<string, number>> = { allow: 2, deny: 2, auth_basic: 2, auth_basic_user_file: 2, client_max_body_size: 2, proxy_read_timeout: 2, proxy_send_timeout: 2 };

function shapeOf(directives: readonly Directive[], plain: ReadonlySet<string>): string[] {
  return directives.flatMap(({ words, block }) => {
    const known = words[0]! in ALLOWED && words.length === ALLOWED[words[0]!];
    return [...(known || plain.has(words[0]!) ? [] : [words.join(' ')]), ...shapeOf(block ?? [], plain)];
  });
}

describe('no rule', () => {
  const plain = new Set(['server', 'listen', 'server_name', 'location', 'root', 'try_files', 'if', 'return', 'error_page', 'internal', 'types', 'default_type', 'alias', 'etag', 'add_header', 'index', 'charset', 'charset_types', 'disable_symlinks', 'proxy_pass', 'proxy_http_version', 'proxy_connect_timeout', 'proxy_request_buffering', 'proxy_buffering', 'proxy_buffer_size', 'proxy_buffers', 'proxy_redirect', 'proxy_ignore_headers', 'proxy_hide_header', 'proxy_set_header']);
  const reference = directivesOf(bad({}))!;

  function checkRules(rules: EdgeRules): void {
    const directives = directivesOf(bad({ rules }));
    if (!directives) return;
    const own = ownServer(directives);
    const others = (all: readonly Directive[]) => httpOf(all).filter((one) => one !== own && !(one.words[0] === 'map' && /^\$hp_(https_only|hsts_of_host)$/.test(one.words[2]!))).map((one) => (one.words[0] === 'server' && one.block!.some(({ words }) => words[1] === 'version.hostplane.invalid') ? 'the version' : one));
    expect(others(directives)).toEqual(others(reference));
    if (own) expect(shapeOf(own.block!, plain)).toEqual([]);
    if (own) expect(own.block!.filter(({ words }) => words[0] === 'server_name')).toEqual([{ words: ['server_name', 'bad.localhost'] }]);
  }

  it('grows a directive, whatever is in it', () => {
    fc.assert(fc.property(oneHostileRule, checkRules), { numRuns: 700 });
    fc.assert(fc.property(hostileRules, checkRules), { numRuns: 200 });
  });
});

describe('no name, path or folder', () => {
  it('grows a directive', () => {
    const headerless = (all: readonly Directive[]) => httpOf(all).map(({ words }) => words.join(' '));
    const expected = headerless(directivesOf(bad({}))!);
    fc.assert(fc.property(hostileText, hostileText, hostileText, (hostname, root, to) => {
      for (const route of [bad({ hostnames: [hostname] }), bad({ target: { address: '', port: 0, root } }), bad({ redirects: [{ hostname: 'www.bad.localhost', to, status: 301 }] })]) {
        const directives = directivesOf(route);
        if (directives) expect(headerless(directives)).toEqual(expected);
      }
    }), { numRuns: 400 });
  });

  it('that people may have as a domain grows one, in the map or in a server of its own', () => {
    const names = [...new Set(acceptedNames('localhost'))];
    expect(names.length).toBeGreaterThan(50);
    for (const own of [{}, { rules: { httpsOnly: true, hsts: undefined, maxBodyBytes: 9, targetTimeoutSeconds: 0, users: [], allow: [], deny: [], maintenance: undefined, errorPages: [] } }]) {
      const directives = readDirectives(render({ revision: 7, routes: [bad({ hostnames: ['bad.localhost', ...names], ...own })] }, settings).files['nginx.conf']!);
      const routes = httpOf(directives).find(({ words }) => words[0] === 'map' && words[2] === '$hp_route')!.block!;
      expect(routes.slice(1).map(({ words }) => words[0])).toEqual(['bad.localhost', ...names].sort());
      if ('rules' in own) expect(ownServer(directives)!.block!.find(({ words }) => words[0] === 'server_name')!.words.slice(1)).toEqual(['bad.localhost', ...names].sort());
    }
  });
});
