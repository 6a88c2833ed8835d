import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { parse } from 'yaml';
import { ProviderError } from '../provider-error.js';
import { areSameRules, hostnamesOf, ingressOf, isOurFile, remoteConfigOf, renderFile, rulesOfFile, type LocalTunnel } from './tunnel-config.js';

const tunnel: LocalTunnel = { id: 'f70ff985-a4ef-4643-bbbc-4a0ed4fc8415', credentialsFile: '/etc/cloudflared/it.json', metrics: '127.0.0.1:20241', service: 'http://127.0.0.1:8080', connectTimeoutSeconds: 10 };
const table = (...hostnames: string[]) => ({ revision: 1, hostnames });

describe("a tunnel's configuration", () => {
  it('is one file, the same for the same names in any order', () => {
    const text = renderFile(table('www.example.com', '*.sites.example.net', 'example.com', 'example.com'), tunnel);
    expect(text).toBe(`# Kept by Hostplane, which writes it anew whenever a hostname comes or goes.
tunnel: f70ff985-a4ef-4643-bbbc-4a0ed4fc8415
credentials-file: /etc/cloudflared/it.json
metrics: 127.0.0.1:20241
no-autoupdate: true
originRequest:
  connectTimeout: 10s
ingress:
  - hostname: example.com
    service: http://127.0.0.1:8080
  - hostname: www.example.com
    service: http://127.0.0.1:8080
  - hostname: "*.sites.example.net"
    service: http://127.0.0.1:8080
  - service: http_status:404
`);
    expect(renderFile(table('*.sites.example.net', 'example.com', 'www.example.com'), tunnel)).toBe(text);
    expect([isOurFile(text), isOurFile(text.slice(1)), areSameRules(rulesOfFile(text), ingressOf(table('example.com', 'www.example.com', '*.sites.example.net'), tunnel))]).toEqual([true, false, true]);
  });
  it('has whole seconds where Cloudflare keeps it', () => {
    expect(remoteConfigOf(table('a.example.com'), tunnel)).toEqual({ ingress: [{ hostname: 'a.example.com', service: 'http://127.0.0.1:8080' }, { service: 'http_status:404' }], originRequest: { connectTimeout: 10 } });
    expect(hostnamesOf([{ hostname: 'a.example.com', service: tunnel.service }, { hostname: 'b.example.com', service: 'http://10.0.0.1' }, { service: 'http_status:404' }], tunnel)).toEqual(['a.example.com']);
  });
  it.each(['127.0.0.1:8080', 'http://127.0.0.1:8080/', 'http://127.0.0.1:8080/x', 'http://a?b', 'http://a#b', 'http://u@a', 'ftp://a', 'http://', '', 'http_status:200'])('leads to no service such as %j', (service) => {
    expect(() => ingressOf(table('a.example.com'), { ...tunnel, service })).toThrow(ProviderError);
  });
  it('holds nothing but the names that were asked for, whatever they are', () => {
    const label = fc.oneof(fc.constantFrom('*', 'a', 'xn--bcher-kva', '-', '', 'a b', '"', "'", '\n', ': x', '{}', '&a', '!x', '#'), fc.string({ maxLength: 6 }));
    const hostile = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
    fc.assert(fc.property(fc.array(hostile, { maxLength: 5 }), (hostnames) => {
      let text: string;
      try {
        text = renderFile(table(...hostnames), tunnel);
      } catch (error) {
        expect(error).toMatchObject({ name: 'ProviderError', retryable: false });
        return;
      }
      const { ingress, ...rest } = parse(text) as { ingress: { hostname?: string; service: string }[] };
      expect(rest).toEqual({ tunnel: tunnel.id, 'credentials-file': tunnel.credentialsFile, metrics: tunnel.metrics, 'no-autoupdate': true, originRequest: { connectTimeout: '10s' } });
      expect(new Set(ingress.flatMap(({ hostname }) => hostname ?? []))).toEqual(new Set(hostnames));
      expect([ingress.at(-1), ingress.slice(0, -1).every(({ hostname, service }) => hostname !== undefined && service === tunnel.service)]).toEqual([{ service: 'http_status:404' }, true]);
    }), { numRuns: 2000 });
  });
});
