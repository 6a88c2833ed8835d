import type { MessageOf, MessageType } from '#contracts/registry.js';
import type { Decider } from './decider.js';

type AnswerType =
  | 'HomeReady' | 'HomeFailed' | 'HomeRemoved' | 'WorkloadReady' | 'WorkloadInstalled' | 'WorkloadFailed' | 'WorkloadRemoved' | 'EdgeApplied' | 'PageConfirmed' | 'EdgeFailed'
  | 'BackupTaken' | 'BackupRestored' | 'BackupRemoved' | 'DataRemoved' | 'BackupFailed' | 'DatabaseReady' | 'DatabaseFailed' | 'DatabaseRemoved' | 'CertificateApplied' | 'CertificateNotApplied' | 'SecretsReady' | 'SecretsFailed' | 'SecretsRemoved';

/** The greatest log position of a command that was answered; and of the one that is being tried again, why. */
export interface Answered {
  readonly revision: number;
  readonly delayed?: { readonly revision: number; readonly error: string };
}

type Delay = MessageOf<'WorkDelayed'>;
export type AnswerDecider<O extends MessageType> = Decider<Answered, MessageOf<O> | Delay, O | 'WorkDelayed'>;

/**
 * What a host or the vault answers to its commands, one stream a resource. Commands of one resource are worked on in the order of their log
 * positions; one whose position is not above the last answer's is late or repeated: nothing follows. That one is delayed is no answer; the same
 * reason again says nothing new.
 */
export function answers<O extends AnswerType>(category: string): AnswerDecider<O> {
  return {
    category,
    initial: { revision: 0 },
    decide: (said, state) => (revisionOf(said) <= state.revision || (isDelay(said) && isKnown(said, state)) ? [] : [said as MessageOf<O | 'WorkDelayed'>]),
    evolve: (state, said) => (isDelay(said) ? { ...state, delayed: said.data } : { revision: revisionOf(said) }),
  };
}

const isDelay = (said: { readonly type: string }): said is Delay => said.type === 'WorkDelayed';

const isKnown = ({ data }: Delay, { delayed }: Answered): boolean => delayed?.revision === data.revision && delayed.error === data.error;

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
