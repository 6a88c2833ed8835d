import type { IssuedCertificate } from '#contracts/gen/hostplane/v1/certificate.js';
import { Refusal } from '../refusal.js';
import type { Certificate, CertificateCommand, CertificateEvent, CertificateState } from './certificate.js';
import { awaitsDeployment } from './due.js';
import { later, nextWarning, renewalTime, retryTime, OF_PLANE, UPLOADED, type ProofKind } from './policy.js';
import { hasDnsProofs, idsOf, recordLook, recordProofsRemoved, recordRemovalDelay, workingStatus } from './proofs.js';

type Of<T extends CertificateCommand['type']> = Extract<CertificateCommand, { type: T }>;
type Events = readonly CertificateEvent[];

/** Answers a command with what follows; late and repeated ones with nothing. */
export function decideCertificate(command: CertificateCommand, state: CertificateState): Events {
  if (command.type === 'RequestCertificate') return state.status === 'none' ? [requested(command, command.authority, command.proof)] : [];
  if (command.type === 'UploadCertificate') return upload(command, state);
  if (command.type === 'RecordProofsRemoved') return recordProofsRemoved(command, state);
  if (command.type === 'RecordRemovalDelay') return recordRemovalDelay(command, state);
  if (state.status === 'none') return command.type === 'RevokeCertificate' || command.type === 'RenewCertificate' ? missing() : [];
  switch (command.type) {
    case 'RecordOrder':
      return recordOrder(command, state);
    case 'RecordLook':
      return recordLook(command, state);
    case 'RecordIssued':
      return state.order?.number === command.order ? issued(state, command, state.authority, state.issued) : [];
    case 'RecordFailure':
      return recordFailure(command, state);
    case 'AnswerHost':
      return answerHost(command, state);
    case 'AskHostAgain':
      return askHostAgain(command, state);
    case 'RenewCertificate':
      return renew(command, state);
    case 'PlanRenewal':
      return state.status === 'deployed' && state.renewAt !== command.renewAt ? [{ type: 'CertificateRenewalPlanned', data: { ...idsOf(state), status: state.status, renewAt: command.renewAt, reason: command.reason } }] : [];
    case 'WarnOfEnd':
      return warn(command, state);
    case 'RevokeCertificate':
      return revoke(command, state);
    case 'RecordRevoked':
      return recordRevoked(command, state);
    case 'RemoveCertificate':
      return remove(command, state);
  }
}

function missing(): never {
  throw new Refusal('not-found', 'The domain has no certificate.');
}

function requested({ of, now }: { of: Certificate['of']; now: string }, authority: string, proof: ProofKind | ''): CertificateEvent {
  return { type: 'CertificateRequested', data: { ...of, names: [...of.names], status: 'requested', authority, nextAt: now, proof } };
}

function recordOrder({ order, authority, proof, reference, proofs, now, policy }: Of<'RecordOrder'>, certificate: Certificate): Events {
  if (order !== certificate.orders + 1 || certificate.order || !['requested', 'renewing', 'failed'].includes(certificate.status)) return [];
  const { certificateId, hostId, siteId } = certificate.of;
  const onHost = proofs.filter(({ type }) => type === 'http-01');
  const turn = onHost.length > 0 ? certificate.turn + 1 : 0;
  const nextAt = turn > 0 ? later(now, policy.hostDelayMs) : now;
  const deadlineAt = proofs.some(({ type }) => type === 'dns-01') ? later(now, policy.proofDeadlineMs) : '';
  return [
    { type: 'CertificateOrdered', data: { ...idsOf(certificate), status: workingStatus(certificate), order, authority, reference, proofs: [...proofs], turn, nextAt, proof, deadlineAt } },
    ...(turn > 0 ? [{ type: 'EnsureProofs', data: { certificateId, hostId, siteId, proofs: onHost, turn } } as const] : []),
  ];
}

function proven(certificate: Certificate, now: string): CertificateEvent {
  return { type: 'CertificateProofsReady', data: { ...idsOf(certificate), status: workingStatus(certificate), nextAt: now } };
}

function issued(certificate: Certificate, { certificate: one, now, policy }: { certificate: IssuedCertificate; now: string; policy: Of<'RecordIssued'>['policy'] }, authority: string, before: IssuedCertificate | undefined): Events {
  const { certificateId, hostId, siteId, projectId, names } = certificate.of;
  const turn = hostId === '' ? 0 : certificate.turn + 1;
  const data = { ...idsOf(certificate), status: 'issued', certificate: one, turn, nextAt: turn === 0 ? '' : later(now, policy.hostDelayMs), renewAt: isBrought(authority) ? '' : renewalTime(one), authority };
  const next: CertificateEvent = turn === 0 ? deployed(certificate, one) : { type: 'EnsureCertificate', data: { certificateId, hostId, siteId, projectId, hostnames: [...names], certificate: one, turn } };
  return [
    { type: 'CertificateIssued', data },
    next,
    ...(before?.keySecret === one.keySecret ? [] : forget(certificate, before)),
  ];
}

const isBrought = (authority: string): boolean => authority === UPLOADED || authority === OF_PLANE;

function deployed(certificate: Certificate, one: IssuedCertificate | undefined): CertificateEvent {
  return { type: 'CertificateDeployed', data: { ...idsOf(certificate), status: 'deployed', fingerprint: one?.fingerprint ?? '' } };
}

/** The key of a certificate that is not used again is opened for nobody any more. */
function forget({ of: { projectId }, authority }: Certificate, before: IssuedCertificate | undefined): Events {
  return before?.keySecret && authority !== OF_PLANE ? [{ type: 'ForgetSecrets', data: { projectId, names: [before.keySecret] } }] : [];
}

function upload(command: Of<'UploadCertificate'>, state: CertificateState): Events {
  const { authority = UPLOADED } = command;
  if (state.status === 'removing') throw new Refusal('conflict', 'The certificate before it is being removed. Try again in a moment.');
  if (state.status === 'none') {
    const begun = requested(command, authority, '');
    const { certificateId, projectId } = command.of;
    const certificate: Certificate = { status: 'requested', of: command.of, authority, issuedBy: '', orders: state.orders, turn: state.turn, isDeployed: false, wantsNewKey: false, mayBeOnHost: false, askedSince: 0, awaitsHost: false, tries: 0, error: '', nextAt: '', renewAt: '', warned: 0 };
    return certificateId && projectId ? [begun, ...issued(certificate, command, authority, undefined)] : [];
  }
  if (state.status === 'revoking' || (state.status === 'revoked' && state.awaitsHost)) throw new Refusal('conflict', 'The certificate before it is being revoked. Try again in a moment.');
  if (state.issued?.fingerprint === command.certificate.fingerprint) return [];
  return issued(state, command, authority, state.issued);
}

function recordFailure({ order, step, error, notBefore, keepsOrder, now, policy }: Of<'RecordFailure'>, certificate: Certificate): Events {
  const isRevocation = step === 'revocation';
  const current = certificate.order?.number ?? certificate.orders + 1;
  const isDue = isRevocation ? certificate.status === 'revoking' : ['requested', 'issuing', 'renewing', 'failed'].includes(certificate.status) && order === current;
  // A failure that was recorded has moved the next try: the same one again is before its time.
  if (!isDue || certificate.nextAt === '' || certificate.nextAt > now) return [];
  const tries = certificate.tries + 1;
  const stays = keepsOrder && certificate.order !== undefined;
  const data = { ...idsOf(certificate), status: isRevocation ? 'revoking' : 'failed', step, error, tries, nextAt: retryTime(now, tries, notBefore, policy), keepsOrder: stays };
  return [{ type: 'CertificateFailed', data }, ...(stays ? [] : dropProofs(certificate))];
}

/** Proofs of an order that is given up are answered no more; nobody waits for that. */
function dropProofs({ order, of: { certificateId, hostId, siteId } }: Certificate): Events {
  return order?.proofs.some(({ type }) => type === 'http-01') ? [{ type: 'EnsureProofs', data: { certificateId, hostId, siteId, proofs: [], turn: 0 } }] : [];
}

function answerHost({ turn, error, now, policy }: Of<'AnswerHost'>, certificate: Certificate): Events {
  if (!certificate.awaitsHost || turn < certificate.askedSince || turn > certificate.turn) return [];
  const { status } = certificate;
  if (status === 'removing' || status === 'revoked') {
    if (error !== '') return [];
    return [gone(certificate, status === 'removing' ? 'removed' : 'revoked'), ...forget(certificate, certificate.issued)];
  }
  const isProof = certificate.order !== undefined;
  if (error === '') {
    if (isProof) return [proven(certificate, now)];
    return [deployed(certificate, certificate.issued)];
  }
  const tries = certificate.tries + 1;
  const data = { ...idsOf(certificate), status: 'failed', step: isProof ? 'proof' : 'deployment', error, tries, nextAt: retryTime(now, tries, '', policy), keepsOrder: false };
  return [{ type: 'CertificateFailed', data }, ...dropProofs(certificate)];
}

/** Asks for what was asked last, under the next number. */
function askHostAgain({ now, policy }: Of<'AskHostAgain'>, certificate: Certificate): Events {
  const mayDeploy = awaitsDeployment(certificate);
  if (certificate.nextAt === '' || certificate.nextAt > now || !(certificate.awaitsHost || mayDeploy)) return [];
  const { certificateId, hostId, siteId, projectId, names } = certificate.of;
  const turn = certificate.turn + 1;
  const again: CertificateEvent = { type: 'CertificateAskedAgain', data: { ...idsOf(certificate), status: mayDeploy ? 'issued' : certificate.status, turn, nextAt: later(now, policy.hostDelayMs) } };
  if (certificate.status === 'removing' || certificate.status === 'revoked') return [again, { type: 'RemoveCertificate', data: { certificateId, hostId, siteId, turn } }];
  if (certificate.order) return [again, { type: 'EnsureProofs', data: { certificateId, hostId, siteId, proofs: certificate.order.proofs.filter(({ type }) => type === 'http-01'), turn } }];
  return [again, { type: 'EnsureCertificate', data: { certificateId, hostId, siteId, projectId, hostnames: [...names], certificate: certificate.issued, turn } }];
}

function renew({ reason, newKey, authority, now }: Of<'RenewCertificate'>, certificate: Certificate): Events {
  const { status } = certificate;
  if (certificate.authority === UPLOADED && certificate.issued) throw new Refusal('conflict', 'The certificate was uploaded: upload the next one, or withdraw it to get one from an authority.');
  if (authority === '') throw new Refusal('unsupported', 'This plane asks no certificate authority: set HOSTPLANE_ACME_DIRECTORY.');
  if (status === 'removing' || status === 'revoking' || (status === 'revoked' && certificate.awaitsHost)) throw new Refusal('conflict', `The certificate is ${status === 'removing' ? 'being removed' : 'being revoked'}. Try again in a moment.`);
  const isWaiting = (status === 'failed' || (hasDnsProofs(certificate.order) && !certificate.order?.isProven)) && (certificate.nextAt === '' || certificate.nextAt > now);
  if (status !== 'deployed' && status !== 'revoked' && !isWaiting) return [];
  return [{ type: 'CertificateRenewalStarted', data: { ...idsOf(certificate), status: statusAgain(certificate), reason, nextAt: now, newKey } }];
}

/** What is gone on with when somebody wants it now: the deployment, the order that is under way, or another order. */
function statusAgain(certificate: Certificate): string {
  if (certificate.order) return workingStatus(certificate);
  if (!certificate.issued) return 'requested';
  return certificate.isDeployed ? 'renewing' : 'issued';
}

function warn({ now, policy }: Of<'WarnOfEnd'>, certificate: Certificate): Events {
  const { issued: one, of: { domain }, error } = certificate;
  const warning = one && nextWarning(one.notAfter, certificate.renewAt, certificate.warned, policy);
  if (!one || !warning || warning.at > now || ['removing', 'revoking', 'revoked'].includes(certificate.status)) return [];
  // Several may have become due while nobody looked: the last of them says it all.
  const days = Math.min(...policy.warnDays.filter((day) => day <= warning.days && later(one.notAfter, -day * 86_400_000) <= now));
  return [{ type: 'CertificateExpiring', data: { ...idsOf(certificate), status: certificate.status, domain, notAfter: one.notAfter, days, error } }];
}

function revoke({ reason, now }: Of<'RevokeCertificate'>, certificate: Certificate): Events {
  // One that waits for its next try is tried now.
  const isDue = certificate.status === 'revoking' && certificate.nextAt <= now;
  if (isDue || certificate.status === 'revoked') return [];
  if (certificate.authority === UPLOADED) throw new Refusal('conflict', 'The certificate was uploaded: only who issued it can revoke it. Withdraw it here.');
  if (!certificate.issued || certificate.status === 'removing') missing();
  return [{ type: 'CertificateRevocationRequested', data: { ...idsOf(certificate), status: 'revoking', reason, nextAt: now } }, ...dropProofs(certificate)];
}

function recordRevoked({ serial, now, policy }: Of<'RecordRevoked'>, certificate: Certificate): Events {
  if (certificate.status !== 'revoking' || certificate.issued?.serial !== serial) return [];
  const { certificateId, hostId, siteId } = certificate.of;
  const turn = hostId === '' ? 0 : certificate.turn + 1;
  if (turn === 0) return [{ type: 'CertificateRevoked', data: { ...idsOf(certificate), status: 'revoked', serial, turn, nextAt: '' } }, gone(certificate, 'revoked'), ...forget(certificate, certificate.issued)];
  return [
    { type: 'CertificateRevoked', data: { ...idsOf(certificate), status: 'revoked', serial, turn, nextAt: later(now, policy.hostDelayMs) } },
    { type: 'RemoveCertificate', data: { certificateId, hostId, siteId, turn } },
  ];
}

function gone(certificate: Certificate, status: 'removed' | 'revoked'): CertificateEvent {
  return { type: 'CertificateRemoved', data: { ...idsOf(certificate), status } };
}

function remove({ reason, now, policy }: Of<'RemoveCertificate'>, certificate: Certificate): Events {
  if (certificate.status === 'removing') return [];
  const { certificateId, hostId, siteId } = certificate.of;
  const turn = certificate.mayBeOnHost ? certificate.turn + 1 : 0;
  const wanted: CertificateEvent = { type: 'CertificateRemovalRequested', data: { ...idsOf(certificate), status: 'removing', reason, turn, nextAt: turn > 0 ? later(now, policy.hostDelayMs) : '' } };
  if (turn === 0) return [wanted, gone(certificate, 'removed'), ...forget(certificate, certificate.issued)];
  return [wanted, { type: 'RemoveCertificate', data: { certificateId, hostId, siteId, turn } }];
}
