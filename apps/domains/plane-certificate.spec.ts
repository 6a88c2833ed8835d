import { describe, expect, it } from '@jest/globals';
import type { IssuedCertificate } from '#contracts/gen/hostplane/v1/certificate.js';
import { certificateDecider as decider, type CertificateCommand, type CertificateState } from '#domain/certificate/certificate.js';
import { Authorities } from './authorities.js';
import { bringing, PlaneCertificate } from './plane-certificate.js';

const now = '2026-01-01T00:00:00.000Z';
const policy = { firstRetryMs: 1, longestRetryMs: 1, hostDelayMs: 1, proofDelayMs: 1, longestProofDelayMs: 1, proofDeadlineMs: 1, warnDays: [] };
const plane = new PlaneCertificate('example.org', new Authorities([], undefined));
plane.add('local');
plane.add('h2');
const one = (fingerprint: string): IssuedCertificate => ({ serial: fingerprint, issuer: 'CA', names: [], notBefore: now, notAfter: '2026-04-01T00:00:00.000Z', fingerprint, chain: 'PEM', keySecret: 'k', sealedKey: undefined });
const after = (before: CertificateState, ...commands: readonly CertificateCommand[]) => commands.reduce((state, command) => decider.decide(command, state).reduce<CertificateState>(decider.evolve, state), before);
const request: CertificateCommand = { type: 'RequestCertificate', of: plane.of, authority: 'acme', proof: 'dns-01', now };
const got = (order: number): CertificateCommand[] => [{ type: 'RecordOrder', order, authority: 'acme', proof: 'dns-01', reference: 'r', proofs: [], now, policy }, { type: 'RecordIssued', order, certificate: one(`f${order}`), now, policy }];
const renewed: CertificateCommand = { type: 'RenewCertificate', reason: '', newKey: false, authority: 'acme', now };

describe("the plane's own certificate", () => {
  const copies = new Map<string, CertificateState>();
  const stateOf = (id: string) => copies.get(id) ?? decider.initial;
  const bringAll = (own: CertificateState) => {
    const due = plane.copiesToBring(own, stateOf);
    for (const copy of due) copies.set(copy.of.certificateId, after(stateOf(copy.of.certificateId), { ...bringing(copy), now, policy }));
    return due.map(({ of: { hostId }, certificate }) => [hostId, certificate.fingerprint]);
  };

  it('is copied to each host that has an edge, once, and again when it was renewed', () => {
    expect(bringAll(after(decider.initial, request))).toEqual([]);
    const issued = after(decider.initial, request, ...got(1));
    expect([bringAll(issued), bringAll(issued)]).toEqual([[['local', 'f1'], ['h2', 'f1']], []]);
    const again = after(issued, renewed);
    expect([bringAll(again), bringAll(after(again, ...got(2)))]).toEqual([[], [['local', 'f2'], ['h2', 'f2']]]);
  });

  it('is kept with its copies until it is revoked; that of another base domain is not', () => {
    const own = after(decider.initial, request, ...got(1));
    const [copy] = plane.copiesToBring(own, () => decider.initial);
    const revoked = after(own, { type: 'RevokeCertificate', reason: '', now }, { type: 'RecordRevoked', serial: 'f1', now, policy });
    const isWanted = (state: CertificateState) => [plane.isWanted(plane.id, plane.of, state), plane.isWanted(copy!.of.certificateId, copy!.of, state)];
    expect([isWanted(own), isWanted(revoked), plane.copiesToBring(revoked, () => decider.initial)]).toEqual([[true, true], [true, false], []]);
    const other = new PlaneCertificate('example.net', new Authorities([], undefined));
    expect([other.isWanted(plane.id, plane.of, own), other.isWanted(copy!.of.certificateId, copy!.of, own)]).toEqual([false, false]);
  });

  it('says what it takes when it cannot be had', async () => {
    await expect(plane.choose()).rejects.toMatchObject({ retryable: false, message: expect.stringMatching(/HOSTPLANE_ACME_DIRECTORY.*zone of example\.org.*HOSTPLANE_CLOUDFLARE_API_TOKEN/) });
  });
});
