import type { MessageOf } from '#contracts/registry.js';
import type { Decider } from './decider.js';

type AnswerType =
  | 'HomeReady' | 'HomeFailed' | 'HomeRemoved' | 'WorkloadReady' | 'WorkloadInstalled' | 'WorkloadFailed' | 'WorkloadRemoved' | 'EdgeApplied' | 'PageConfirmed' | 'EdgeFailed'
  | 'BackupTaken' | 'BackupRestored' | 'BackupRemoved' | 'DataRemoved' | 'BackupFailed' | 'DatabaseReady' | 'DatabaseFailed' | 'DatabaseRemoved' | 'CertificateApplied' | 'CertificateNotApplied' | 'SecretsReady' | 'SecretsFailed' | 'SecretsRemoved';

/** The greatest log position of a command that was answered, and who was answered. */
export interface Answered {
  readonly revision: number;
}

/**
 * What a host or the vault answers to its commands, one stream a resource. Commands of one resource are worked on in the order of their log
 * positions; one whose position is not above the last answer's is late or repeated: nothing follows.
 */
export function answers<O extends AnswerType>(category: string): Decider<Answered, MessageOf<O>, O> {
  return {
    category,
    initial: { revision: 0 },
    decide: (answer, state) => (revisionOf(answer) > state.revision ? [answer] : []),
    evolve: (_, answer) => ({ revision: revisionOf(answer) }),
  };
}

/** Every answer names the position of the command that it answers. */
const revisionOf = (answer: { readonly data: unknown }): number => (answer.data as { readonly revision: number }).revision;

export const homeDecider = answers<'HomeReady' | 'HomeFailed' | 'HomeRemoved'>('home');
export const workloadDecider = answers<'WorkloadReady' | 'WorkloadInstalled' | 'WorkloadFailed' | 'WorkloadRemoved'>('workload');
export const edgeDecider = answers<'EdgeApplied' | 'PageConfirmed' | 'EdgeFailed'>('edge');
/** What a host's edge did with certificates, one stream a certificate. */
export const edgeCertificateDecider = answers<'CertificateApplied' | 'CertificateNotApplied'>('edge');
/** That a host's edge came up, one stream a host: each time is a fact of its own. */
export const edgeHostDecider: Decider<undefined, MessageOf<'EdgeStarted'>, 'EdgeStarted'> = { category: 'edge-host', initial: undefined, decide: (started) => [started], evolve: () => undefined };
export const databaseDecider = answers<'DatabaseReady' | 'DatabaseFailed' | 'DatabaseRemoved'>('database');
/** What a host did with backups and data, one stream a site. */
export const archiveDecider = answers<'BackupTaken' | 'BackupRestored' | 'BackupRemoved' | 'DataRemoved' | 'BackupFailed'>('archive');
