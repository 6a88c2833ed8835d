import { describe, expect, it } from '@jest/globals';
import type { IssuedCertificate } from '#contracts/gen/hostplane/v1/certificate.js';
import { given } from '../../../test/support/given.js';
import { certificateDecider as decider, keySecretOf, type Certificate, type CertificateCommand, type CertificateEvent, type CertificateState } from './certificate.js';
import { dueStep, ending } from './due.js';
import { later, nextWarning, renewalTime, retryTime, UPLOADED } from './policy.js';

const DAY = 86_400_000;
const policy = { firstRetryMs: 300_000, longestRetryMs: 86_400_000, hostDelayMs: 30_000, proofDelayMs: 2_000, longestProofDelayMs: 60_000, proofDeadlineMs: 3_600_000, warnDays: [14, 7, 1] };
const now = '2026-01-01T00:00:00.000Z';
const soon = later(now, policy.hostDelayMs);
const of = { certificateId: 'c', siteId: 's', projectId: 'p', domain: 'shop.example.com', names: ['shop.example.com'], hostId: 'local' };
const ids = { certificateId: 'c', siteId: 's', projectId: 'p' };
const host = { certificateId: 'c', hostId: 'local', siteId: 's' };
const proof = { type: 'http-01', name: 'shop.example.com', token: 'tok', text: 'tok.print' };
const issuedOne = (n: number, from = now): IssuedCertificate => ({
  serial: `0${n}`, issuer: 'CN=Pebble', names: of.names, notBefore: from, notAfter: later(from, 90 * DAY), fingerprint: `f${n}`, chain: 'PEM', keySecret: `certificate/c/${n}`, sealedKey: undefined,
});

/** What happens when these are commanded one after the other. */
function after(...commands: readonly CertificateCommand[]): readonly CertificateEvent[] {
  let state: CertificateState = decider.initial;
  return commands.flatMap((command) => {
    const events = decider.decide(command, state);
    expect([command.type, events.length > 0]).toEqual([command.type, true]);
    state = events.reduce(decider.evolve, state);
    return events;
  });
}
const request: CertificateCommand = { type: 'RequestCertificate', of, authority: 'acme', proof: 'http-01', now };
const order = (n: number, at = now): CertificateCommand => ({ type: 'RecordOrder', order: n, authority: 'acme', proof: 'http-01', reference: 'https://ca/1', proofs: [proof], now: at, policy });
const answer = (turn: number, error = '', at = now): CertificateCommand => ({ type: 'AnswerHost', turn, error, now: at, policy });
const issue = (n: number, at = now): CertificateCommand => ({ type: 'RecordIssued', order: n, certificate: issuedOne(n, at), now: at, policy });
const failure = (n: number, step: string, more: Partial<Extract<CertificateCommand, { type: 'RecordFailure' }>> = {}): CertificateCommand => ({ type: 'RecordFailure', order: n, step, error: 'no', notBefore: '', keepsOrder: false, now, policy, ...more });
const deployed = [request, order(1), answer(1), issue(1), answer(2)] as const;
const renewal: CertificateCommand = { type: 'RenewCertificate', reason: 'It was asked for.', newKey: false, authority: 'acme', now };
const state = (...commands: readonly CertificateCommand[]) => given(decider, ...after(...commands)).state() as Certificate;
const on = (...commands: readonly CertificateCommand[]) => given(decider, ...after(...commands));

describe('a certificate', () => {
  it('is wanted once', () => given(decider).when(request).then({ type: 'CertificateRequested', data: { ...of, names: [...of.names], status: 'requested', authority: 'acme', nextAt: now, proof: 'http-01' } }));
  it('is proven at the host before the authority is told to look', () => {
    on(request).when(order(1)).then(
      { type: 'CertificateOrdered', data: { ...ids, status: 'issuing', order: 1, authority: 'acme', reference: 'https://ca/1', proofs: [proof], turn: 1, nextAt: soon, proof: 'http-01', deadlineAt: '' } },
      { type: 'EnsureProofs', data: { ...host, proofs: [proof], turn: 1 } },
    );
    on(request, order(1)).when(answer(1)).then({ type: 'CertificateProofsReady', data: { ...ids, status: 'issuing', nextAt: now } });
  });
  it('is told to the host once it is issued, and deployed once that has confirmed it', () => {
    on(request, order(1), answer(1)).when(issue(1)).then(
      { type: 'CertificateIssued', data: { ...ids, status: 'issued', certificate: issuedOne(1), turn: 2, nextAt: soon, renewAt: later(now, 60 * DAY), authority: 'acme' } },
      { type: 'EnsureCertificate', data: { ...host, projectId: 'p', hostnames: ['shop.example.com'], certificate: issuedOne(1), turn: 2 } },
    );
    on(request, order(1), answer(1), issue(1)).when(answer(2)).then({ type: 'CertificateDeployed', data: { ...ids, status: 'deployed', fingerprint: 'f1' } });
  });
  it('waits for what was asked last, and takes the answer to any ask of the same', () => {
    on(request, order(1)).when(answer(7)).then();
    const again = on(request, order(1)).when({ type: 'AskHostAgain', now: soon, policy });
    again.then(
      { type: 'CertificateAskedAgain', data: { ...ids, status: 'issuing', turn: 2, nextAt: later(soon, 30_000) } },
      { type: 'EnsureProofs', data: { ...host, proofs: [proof], turn: 2 } },
    );
    on(request, order(1)).when({ type: 'AskHostAgain', now, policy }).then();
    const twice = on(request, order(1), answer(1), issue(1), { type: 'AskHostAgain', now: later(soon, 60_000), policy });
    for (const turn of [2, 3]) twice.when(answer(turn)).thenTypes('CertificateDeployed');
    twice.when(answer(2, 'no edge')).thenTypes('CertificateFailed');
    twice.when(answer(1)).then();
  });
  it('that fails says the step and when it is tried again, not before the authority allows it', () => {
    const notBefore = later(now, 7 * DAY);
    on(request).when(failure(1, 'order', { notBefore })).then({ type: 'CertificateFailed', data: { ...ids, status: 'failed', step: 'order', error: 'no', tries: 1, nextAt: notBefore, keepsOrder: false } });
    on(request, order(1), answer(1)).when(failure(1, 'issuance')).then(
      { type: 'CertificateFailed', data: { ...ids, status: 'failed', step: 'issuance', error: 'no', tries: 1, nextAt: later(now, 300_000), keepsOrder: false } },
      { type: 'EnsureProofs', data: { ...host, proofs: [], turn: 0 } },
    );
    on(request, order(1)).when(answer(1, 'no file')).thenTypes('CertificateFailed', 'EnsureProofs');
  });
  it('goes on with an order that may still come to something', () => {
    const kept = state(request, order(1), answer(1), failure(1, 'issuance', { keepsOrder: true }));
    expect([kept.status, kept.order?.number, dueStep(kept, later(now, 300_000), policy)]).toEqual(['failed', 1, 'issue']);
  });
  it('is tried again with ever more patience', () => {
    let at = now;
    let last = state(request);
    for (let n = 0; n < 12; n++) {
      last = decider.decide(failure(1, 'order', { now: at }), last).reduce<CertificateState>(decider.evolve, last) as Certificate;
      at = last.nextAt;
    }
    expect([last.tries, Date.parse(last.nextAt) - Date.parse(later(at, -policy.longestRetryMs))]).toEqual([12, policy.longestRetryMs]);
    expect([1, 2, 3].map((tries) => retryTime(now, tries, '', policy))).toEqual([300_000, 600_000, 1_200_000].map((ms) => later(now, ms)));
  });
  it('keeps its key when it is renewed, unless another one is wanted', () => {
    expect([keySecretOf(state(request, order(1))), keySecretOf(state(...deployed, renewal, order(2)))]).toEqual(['certificate/c/1', 'certificate/c/1']);
    const other = { ...renewal, newKey: true } as CertificateCommand;
    expect(keySecretOf(state(...deployed, other, order(2), answer(3), failure(2, 'issuance'), order(3, later(now, 300_000))))).toBe('certificate/c/3');
    const same = { ...issue(2), certificate: { ...issuedOne(2), keySecret: 'certificate/c/1' } } as CertificateCommand;
    on(...deployed, renewal, order(2), answer(3)).when(same).thenTypes('CertificateIssued', 'EnsureCertificate');
  });
  it('goes on being served while another one is got, and a key that is used no more is forgotten', () => {
    const renewing = [...deployed, renewal, order(2)] as const;
    expect(state(...renewing)).toMatchObject({ status: 'renewing', issued: { serial: '01' }, isDeployed: true });
    on(...renewing, answer(3)).when(issue(2)).thenTypes('CertificateIssued', 'EnsureCertificate', 'ForgetSecrets');
    expect(state(...renewing, answer(3, 'no'))).toMatchObject({ status: 'failed', isDeployed: true, issued: { serial: '01' } });
  });
  it('that the host could not deploy is deployed later, and not asked for again', () => {
    const failed = [request, order(1), answer(1), issue(1), answer(2, 'disk full')] as const;
    expect(dueStep(state(...failed), later(now, 300_000), policy)).toBe('ask-host');
    on(...failed).when({ type: 'AskHostAgain', now: later(now, 300_000), policy }).thenTypes('CertificateAskedAgain', 'EnsureCertificate');
  });
  it('can be renewed by hand at any time, and tried again at once after a failure', () => {
    on(...deployed).when(renewal).then({ type: 'CertificateRenewalStarted', data: { ...ids, status: 'renewing', reason: 'It was asked for.', nextAt: now, newKey: false } });
    const again = [state(request, failure(1, 'order'), renewal), state(request, order(1), answer(1), failure(1, 'issuance', { keepsOrder: true }), renewal), state(request, order(1), answer(1), issue(1), answer(2, 'disk full'), renewal)];
    expect(again.map((one) => [one.status, dueStep(one, now, policy)])).toEqual([['requested', 'order'], ['issuing', 'issue'], ['issued', 'ask-host']]);
    on(request, order(1), answer(1), issue(1), answer(2, 'disk full'), renewal).when({ type: 'AskHostAgain', now, policy }).thenTypes('CertificateAskedAgain', 'EnsureCertificate');
    on(...deployed).when({ ...renewal, authority: '' } as CertificateCommand).refused('unsupported', /HOSTPLANE_ACME_DIRECTORY/);
    given(decider).when(renewal).refused('not-found');
  });
});

describe('the end of a certificate', () => {
  const revoke: CertificateCommand = { type: 'RevokeCertificate', reason: 'keyCompromise', now };
  const revoked: CertificateCommand = { type: 'RecordRevoked', serial: '01', now, policy };
  it('is revoked at its authority first, then taken from the host, then its key is forgotten', () => {
    on(...deployed).when(revoke).thenTypes('CertificateRevocationRequested');
    on(...deployed, revoke).when(revoked).then(
      { type: 'CertificateRevoked', data: { ...ids, status: 'revoked', serial: '01', turn: 3, nextAt: soon } },
      { type: 'RemoveCertificate', data: { ...host, turn: 3 } },
    );
    on(...deployed, revoke, revoked).when(answer(3)).then({ type: 'CertificateRemoved', data: { ...ids, status: 'revoked' } }, { type: 'ForgetSecrets', data: { projectId: 'p', names: ['certificate/c/1'] } });
    const end = state(...deployed, revoke, revoked, answer(3));
    expect([end.status, end.issued, dueStep(end, later(now, 400 * DAY), policy)]).toEqual(['revoked', undefined, undefined]);
    expect(dueStep(state(...deployed, revoke, revoked, answer(3), renewal), now, policy)).toBe('order');
  });
  it('waits for the authority when that does not answer', () => {
    const failed = state(...deployed, revoke, failure(1, 'revocation'));
    expect([failed.status, dueStep(failed, now, policy), dueStep(failed, later(now, 300_000), policy)]).toEqual(['revoking', undefined, 'revoke']);
    on(...deployed, revoke).when(revoke).then();
    on(...deployed, revoke, failure(1, 'revocation')).when(revoke).then({ type: 'CertificateRevocationRequested', data: { ...ids, status: 'revoking', reason: 'keyCompromise', nextAt: now } });
  });
  it('is free only when the host has confirmed it', () => {
    const remove: CertificateCommand = { type: 'RemoveCertificate', reason: 'Its domain is removed.', now, policy };
    on(...deployed).when(remove).thenTypes('CertificateRemovalRequested', 'RemoveCertificate');
    on(...deployed, remove).when(answer(3)).thenTypes('CertificateRemoved', 'ForgetSecrets');
    on(request).when(remove).thenTypes('CertificateRemovalRequested', 'CertificateRemoved');
    expect(given(decider, ...after(...deployed, remove, answer(3))).state()).toEqual({ status: 'none', orders: 1, turn: 3 });
  });
});

describe('an uploaded certificate', () => {
  const mine = { ...issuedOne(9), keySecret: '', sealedKey: { name: 'key', box: 'box' } };
  const upload: CertificateCommand = { type: 'UploadCertificate', of, certificate: mine, now, policy };
  it('takes the place of any other, is deployed like any other and never renewed', () => {
    given(decider).when(upload).thenTypes('CertificateRequested', 'CertificateIssued', 'EnsureCertificate');
    on(...deployed).when(upload).thenTypes('CertificateIssued', 'EnsureCertificate', 'ForgetSecrets');
    const served = state(...deployed, upload, answer(3));
    expect([served.authority, served.renewAt, dueStep(served, later(now, 70 * DAY), policy)]).toEqual([UPLOADED, '', undefined]);
    on(...deployed, upload).when(renewal).refused('conflict', /uploaded/);
    on(...deployed, upload).when({ type: 'RevokeCertificate', reason: '', now }).refused('conflict', /uploaded/);
  });
});

describe("the plane's own certificate", () => {
  const own = { ...of, siteId: '', projectId: 'plane', hostId: '', domain: 'example.org', names: ['example.org', '*.example.org'] };
  const wanted: CertificateCommand = { ...request, of: own } as CertificateCommand;
  const placed: CertificateCommand = { ...order(1), proofs: [] } as CertificateCommand;
  const copy: CertificateCommand = { type: 'UploadCertificate', of: { ...own, certificateId: 'copy', hostId: 'h2' }, certificate: issuedOne(1), authority: 'plane', now, policy };

  it('is ready for hosts once it is issued, and asks none itself', () => {
    on(wanted, placed).when(issue(1)).thenTypes('CertificateIssued', 'CertificateDeployed');
    expect(state(wanted, placed, issue(1))).toMatchObject({ status: 'deployed', isDeployed: true, awaitsHost: false, renewAt: later(now, 60 * DAY) });
  });
  it('is gone once its authority has revoked it, and can be had anew', () => {
    const revoked = [wanted, placed, issue(1), { type: 'RevokeCertificate', reason: '', now }] as const;
    on(...revoked).when({ type: 'RecordRevoked', serial: '01', now, policy }).thenTypes('CertificateRevoked', 'CertificateRemoved', 'ForgetSecrets');
    expect(dueStep(state(...revoked, { type: 'RecordRevoked', serial: '01', now, policy }, renewal), now, policy)).toBe('order');
  });
  it('is copied to a host, which serves all of its names, and is neither renewed nor warned of there; its key is not the copy’s to forget', () => {
    given(decider).when(copy).thenTypes('CertificateRequested', 'CertificateIssued', 'EnsureCertificate');
    const [, , command] = after(copy);
    expect(command).toMatchObject({ data: { hostId: 'h2', projectId: 'plane', hostnames: ['example.org', '*.example.org'], certificate: issuedOne(1) } });
    const served = [copy, answer(1)] as const;
    expect([state(...served).renewAt, dueStep(state(...served), later(now, 89 * DAY), policy)]).toEqual(['', undefined]);
    on(...served).when(copy).then();
    on(...served).when({ ...copy, certificate: issuedOne(2) } as CertificateCommand).thenTypes('CertificateIssued', 'EnsureCertificate');
    on(...served, { type: 'RemoveCertificate', reason: 'It is there no more.', now, policy }).when(answer(2)).thenTypes('CertificateRemoved');
  });
});

describe('time', () => {
  it('brings renewal at two thirds of the lifetime, or when the authority suggests it', () => {
    expect(renewalTime(issuedOne(1))).toBe(later(now, 60 * DAY));
    const planned = state(...deployed, { type: 'PlanRenewal', renewAt: later(now, 3 * DAY), reason: 'revocation soon' });
    expect([dueStep(state(...deployed), later(now, 59 * DAY), policy), dueStep(state(...deployed), later(now, 60 * DAY), policy), dueStep(planned, later(now, 3 * DAY), policy)]).toEqual([undefined, 'renew', 'renew']);
  });
  it('brings a warning at each of the days, one for all that were missed, and none before renewal was due', () => {
    const stuck = [...deployed, renewal, failure(2, 'order', { notBefore: later(now, 400 * DAY) })] as const;
    const at = (days: number) => later(now, (90 - days) * DAY);
    expect([dueStep(state(...stuck), later(at(14), -1), policy), dueStep(state(...stuck), at(14), policy)]).toEqual([undefined, 'warn']);
    on(...stuck).when({ type: 'WarnOfEnd', now: at(14), policy }).then({ type: 'CertificateExpiring', data: { ...ids, status: 'failed', domain: 'shop.example.com', notAfter: at(0), days: 14, error: 'no' } });
    const [last] = decider.decide({ type: 'WarnOfEnd', now: at(1), policy }, state(...stuck));
    expect(last).toMatchObject({ data: { days: 1 } });
    expect(nextWarning(later(now, 6 * DAY), later(now, 4 * DAY), 0, policy)).toEqual({ days: 1, at: later(now, 5 * DAY) });
  });
  it('ends when nobody wants it: after a revocation that was asked for, or has to be, unless that fails again and again', () => {
    const revoking = [...deployed, { type: 'RevokeCertificate', reason: 'cessationOfOperation', now }] as const;
    const failing = (times: number) => Array.from({ length: times }, (_, n) => failure(1, 'revocation', { now: later(now, n * 10 * DAY) }));
    const endings = (certificate: Certificate) => [false, true].map((mustBeRevoked) => ending(certificate, mustBeRevoked));
    expect(endings(state(...deployed))).toEqual(['remove', 'revoke']);
    expect(endings(state(request, order(1)))).toEqual(['remove', 'remove']);
    expect(endings(state(...revoking))).toEqual(['wait', 'wait']);
    expect([endings(state(...revoking, ...failing(2))), endings(state(...revoking, ...failing(3)))]).toEqual([['wait', 'wait'], ['remove', 'remove']]);
    expect(endings(state(...revoking, { type: 'RecordRevoked', serial: '01', now, policy }))).toEqual(['remove', 'remove']);
    expect(endings(state(...deployed, { type: 'RemoveCertificate', reason: '', now, policy }))).toEqual(['wait', 'wait']);
  });
});
