import { describe, expect, it } from '@jest/globals';
import type { EdgeCertificate } from '../edge.js';
import { ProviderError } from '../provider-error.js';
import { renderCertificates } from './render-tls.js';

const settings = { folder: '/data/edge', certFile: '/data/edge/certificate.pem', keyFile: '/data/edge/certificate.key' };
const render = (...certificates: EdgeCertificate[]) => renderCertificates({ revision: 1, routes: [], certificates }, settings);
const [one, wild] = [{ certificateId: 'id-1', hostnames: ['shop.example.com'] }, { certificateId: 'id-2', hostnames: ['*.example.com', 'example.com'] }];

describe('certificates', () => {
  it('are one line a name, in the order of the names, however they come', () => {
    expect(render(wild, one)).toBe(render(one, wild));
    expect(render(wild, one)).toContain('        default "";\n        "*.example.com" id-2;\n        "example.com" id-2;\n        "shop.example.com" id-1;\n    }\n');
  });
  it('of which two are for one name leave it to the later one', () => expect(render(one, { ...one, certificateId: 'id-3' })).toContain('"shop.example.com" id-3;'));
  it('lead to one file each, and names without one to that which the edge has signed itself', () => {
    expect(render()).toContain('        "" "/data/edge/certificate.key";\n        default "/data/edge/tls/$hp_certificate.pem";\n');
  });
  it.each([{ certificateId: '../x', hostnames: [] }, { certificateId: 'a b', hostnames: [] }, { certificateId: 'x', hostnames: ['a b;'] }, { certificateId: 'x', hostnames: ['*.*.example.com'] }, { certificateId: 'x', hostnames: ['*'] }])('are refused when they would be no file or no name: %j', (bad) => {
    expect(() => render(bad)).toThrow(ProviderError);
  });
});
