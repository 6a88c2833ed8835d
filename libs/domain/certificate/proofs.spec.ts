import { describe, expect, it } from '@jest/globals';
import { given } from '../../../test/support/given.js';
import { certificateDecider as decider, type Certificate, type CertificateCommand, type CertificateState } from './certificate.js';
import { dueStep, proofsToRemove } from './due.js';
import { later } from './policy.js';

const policy = { firstRetryMs: 300_000, longestRetryMs: 86_400_000, hostDelayMs: 30_000, proofDelayMs: 2_000, longestProofDelayMs: 5_000, proofDeadlineMs: 60_000, warnDays: [14] };
const now = '2026-01-01T00:00:00.000Z';
const of = { certificateId: 'c', siteId: 's', projectId: 'p', domain: 'shop.example.com', names: ['shop.example.com'], hostId: 'local' };
const ids = { certificateId: 'c', siteId: 's', projectId: 'p' };
const record = (text: string) => ({ type: 'dns-01', name: 'shop.example.com', token: '_acme-challenge.shop.example.com', text });
const [first, second] = [record('first'), record('second')];
const found = [{ resolver: '192.0.2.53', type: 'TXT', name: first.token, values: ['another'], error: '' }];

const request: CertificateCommand = { type: 'RequestCertificate', of, authority: 'acme', proof: 'dns-01', now };
const order = (n: number, proofs = [first, second], at = now): CertificateCommand => ({ type: 'RecordOrder', order: n, authority: 'acme', proof: 'dns-01', reference: 'https://ca/1', proofs, now: at, policy });
const look = (n: number, missing = 'It is not there.', at = now): CertificateCommand => ({ type: 'RecordLook', order: 1, look: n, found, missing, now: at, policy });
const failure = (step: string, more: Partial<Extract<CertificateCommand, { type: 'RecordFailure' }>> = {}): CertificateCommand => ({ type: 'RecordFailure', order: 1, step, error: 'no', notBefore: '', keepsOrder: false, now, policy, ...more });
const issued: CertificateCommand = { type: 'RecordIssued', order: 1, certificate: { serial: '1', issuer: 'CA', names: of.names, notBefore: now, notAfter: later(now, 86_400_000), fingerprint: 'f', chain: 'PEM', keySecret: 'k', sealedKey: undefined }, now, policy };
const remove: CertificateCommand = { type: 'RemoveCertificate', reason: 'Its domain is removed.', now, policy };
const gone = (...proofs: (typeof first)[]): CertificateCommand => ({ type: 'RecordProofsRemoved', proofs });

function state(...commands: readonly CertificateCommand[]): CertificateState {
  return commands.reduce<CertificateState>((before, command) => decider.decide(command, before).reduce(decider.evolve, before), decider.initial);
}
function on(...commands: readonly CertificateCommand[]) {
  let last: CertificateState = decider.initial;
  const events = commands.flatMap((command) => {
    const made = decider.decide(command, last);
    last = made.reduce(decider.evolve, last);
    return made;
  });
  return given(decider, ...events);
}

describe('proofs in the DNS', () => {
  it('are recorded before they are set, with the time until when they may stay unseen, and no host is asked', () => {
    on(request).when(order(1)).then({ type: 'CertificateOrdered', data: { ...ids, status: 'issuing', order: 1, authority: 'acme', reference: 'https://ca/1', proofs: [first, second], turn: 0, nextAt: now, proof: 'dns-01', deadlineAt: later(now, 60_000) } });
    expect(dueStep(state(request, order(1)) as Certificate, now, policy)).toBe('prove');
  });

  it('are looked for with ever more patience, the last time at the deadline, each look once', () => {
    on(request, order(1)).when(look(1)).then({ type: 'CertificateProofsAwaited', data: { ...ids, status: 'issuing', look: 1, found, missing: 'It is not there.', nextAt: later(now, 2_000) } });
    const times = [1, 2, 3].map((n) => (state(request, order(1), ...Array.from({ length: n }, (_, i) => look(i + 1))) as Certificate).nextAt);
    expect(times).toEqual([2_000, 4_000, 5_000].map((ms) => later(now, ms)));
    const late = later(now, 58_000);
    expect((state(request, order(1), look(1, 'No.', late)) as Certificate).nextAt).toBe(later(now, 60_000));
    on(request, order(1), look(1)).when(look(1)).then();
    on(request, order(1), look(1)).when(look(2, '')).then({ type: 'CertificateProofsReady', data: { ...ids, status: 'issuing', nextAt: now } });
  });

  it('that stay unseen end the order, say what is missing, and go', () => {
    const end = later(now, 60_000);
    on(request, order(1), look(1)).when(look(2, 'Not seen.', end)).then({ type: 'CertificateFailed', data: { ...ids, status: 'failed', step: 'proof', error: 'Not seen.', tries: 1, nextAt: later(end, 300_000), keepsOrder: false } });
    expect(proofsToRemove(state(request, order(1), look(1, 'Not seen.', end)), end)).toEqual([first, second]);
  });

  it.each([
    ['it is issued', [look(1, ''), issued]],
    ['the authority refuses', [look(1, ''), failure('issuance')]],
    ['they cannot be set', [failure('proof')]],
    ['its domain goes half-way', [remove]],
    ['somebody uploads another one', [{ type: 'UploadCertificate', of, certificate: { ...(issued as Extract<CertificateCommand, { type: 'RecordIssued' }>).certificate, fingerprint: 'g' }, now, policy }]],
  ] as const)('are to go when %s, and are remembered until they have', (_, commands) => {
    const after = [request, order(1), ...commands] as const;
    expect(proofsToRemove(state(...after), now)).toEqual([first, second]);
    on(...after).when(gone(first)).thenTypes('CertificateProofsRemoved');
    expect(proofsToRemove(state(...after, gone(first)), now)).toEqual([second]);
    expect(state(...after, gone(first, second)).left).toBeUndefined();
    on(...after, gone(first, second)).when(gone(first)).then();
  });

  it('stay while their order is gone on with', () => {
    expect(state(request, order(1), look(1, ''), failure('issuance', { keepsOrder: true })).left).toBeUndefined();
  });

  it('are not taken from the next order that wants the same', () => {
    const again = [request, order(1), failure('proof'), order(2, [second], later(now, 300_000))] as const;
    expect(proofsToRemove(state(...again), now)).toEqual([first]);
  });

  it('that cannot be removed are tried again, also after the end of their certificate', () => {
    const after = [request, order(1), remove] as const;
    const delay = (at: string): CertificateCommand => ({ type: 'RecordRemovalDelay', error: '403', now: at, policy });
    expect(state(...after).status).toBe('none');
    on(...after).when(delay(now)).then({ type: 'CertificateProofsRemovalDelayed', data: { ...ids, status: 'removed', error: '403', tries: 1, nextAt: later(now, 2_000) } });
    const delayed = state(...after, delay(now));
    expect([proofsToRemove(delayed, now), proofsToRemove(delayed, later(now, 2_000))]).toEqual([[], [first, second]]);
    expect(proofsToRemove(state(...after, delay(now), request), later(now, 2_000))).toEqual([first, second]);
  });

  it('are looked for at once when somebody wants it now', () => {
    const renew: CertificateCommand = { type: 'RenewCertificate', reason: 'It was asked for.', newKey: false, authority: 'acme', now };
    expect(dueStep(state(request, order(1), look(1), renew) as Certificate, now, policy)).toBe('prove');
  });
});
