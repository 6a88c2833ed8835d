import { describe, expect, it } from '@jest/globals';
import type { IssuedCertificate } from '#contracts/gen/hostplane/v1/certificate.js';
import type { StoredMessage } from '#contracts/message.js';
import type { EdgeCertificates } from '#providers/edge.js';
import { HostCertificates } from './host-certificates.js';

const nothing: EdgeCertificates = { put: () => Promise.resolve(), remove: () => Promise.resolve(), held: () => Promise.resolve(new Map()) };

const ensure = (fingerprint: string, hostId = 'local') => ({
  type: 'EnsureCertificate' as const,
  data: { certificateId: 'c', hostId, siteId: 's', projectId: 'p', hostnames: ['shop.example.com'], certificate: { fingerprint } as IssuedCertificate, turn: 1 },
});
const remove = { type: 'RemoveCertificate' as const, data: { certificateId: 'c', hostId: 'local', siteId: 's', turn: 2 } };

function told(...messages: readonly { type: string; data: object }[]): HostCertificates {
  const certificates = new HostCertificates('local', nothing);
  certificates.apply(messages.map((message) => ({ id: 'i', meta: {}, recordedAt: '2026-01-01T00:00:00.000Z', ...message }) as unknown as StoredMessage));
  return certificates;
}

describe('a host that was told to serve a certificate', () => {
  const [first, second] = [ensure('one'), ensure('two')];
  it('has no more to do with it once it was told to serve another, or none', () => {
    expect([told(first).isWanted(first.data), told(first, second).isWanted(first.data), told(first, second).isWanted(second.data)]).toEqual([true, false, true]);
    expect([told(first, remove).isWanted(first.data), told(first, ensure('one', 'other')).isWanted(first.data), told().isWanted(first.data)]).toEqual([false, false, false]);
  });
  it('goes on when it is asked for the same one again', () => expect(told(first, first).isWanted(first.data)).toBe(true));
});
