import type { MessageOf, MessageType } from '#contracts/registry.js';
import type { SiteCommand } from '../site/site.js';
import type { BackupCommand } from '../backup/backup.js';
import type { ProjectCommand } from '../project/project.js';

export type WorkflowKind =
  | 'launch-site' | 'remove-site' | 'publish-release' | 'stop-site' | 'start-site' | 'restart-site' | 'launch-project' | 'remove-project'
  | 'launch-wordpress' | 'remove-wordpress' | 'backup-site' | 'restore-site' | 'launch-from-backup' | 'remove-backup' | 'update-site'
  | 'restore-wordpress' | 'launch-wordpress-from-backup' | 'repair-site' | 'repair-wordpress' | 'repair-stopped-wordpress'
  | 'discard-data' | 'discard-wordpress-data';

export type AskType =
  | 'EnsureHome' | 'RemoveHome' | 'EnsureKeyring' | 'DestroyKeyring' | 'EnsureSecrets' | 'EnsureDatabase' | 'RemoveDatabase'
  | 'EnsureWorkload' | 'InstallWorkload' | 'RemoveWorkload' | 'EnsureRoute' | 'RemoveRoute' | 'ConfirmPage'
  | 'TakeBackup' | 'RestoreBackup' | 'RemoveBackup' | 'RemoveData';
/** An ask without the parts that the operation fills in. */
export type Ask = { [K in AskType]: { readonly type: K; readonly data: Omit<MessageOf<K>['data'], 'operationId' | 'turn'> } }[AskType];

/** Every fact that may answer an ask. */
export const factTypes = [
  'HomeReady', 'HomeFailed', 'HomeRemoved', 'SecretsReady', 'SecretsFailed', 'SecretsRemoved', 'DatabaseReady', 'DatabaseFailed', 'DatabaseRemoved',
  'WorkloadReady', 'WorkloadInstalled', 'WorkloadFailed', 'WorkloadRemoved', 'EdgeApplied', 'PageConfirmed', 'EdgeFailed',
  'BackupTaken', 'BackupRestored', 'BackupRemoved', 'DataRemoved', 'BackupFailed',
] as const;

export type FactType = (typeof factTypes)[number];
export type Fact = MessageOf<FactType>;

/** What earlier steps answered, merged. */
export type Outputs = Readonly<Record<string, unknown>>;

/** Something that is asked of the world, and the facts that answer it. */
export interface Action<I> {
  ask(input: I, outputs: Outputs): Ask;
  readonly done: FactType;
  readonly failed: FactType;
}

export interface Step<I> extends Action<I> {
  readonly name: string;
  /** What later steps need of the answer. */
  output?(fact: Fact): Outputs;
  /** Takes the step back; asked for too when the step itself failed half-way. Absent: there is nothing to take back. */
  readonly undo?: Action<I>;
  /** Whether it is part of the workflow with this input; absent: always. */
  appliesTo?(input: I): boolean;
  /** Its failure is noted, and the operation goes on. */
  readonly optional?: true;
}

export interface Failure {
  readonly step: string;
  readonly error: string;
  readonly undone: readonly string[];
}

/** What the end of an operation tells the aggregate that it was for, in the same append. */
export type Settlement = SiteCommand | ProjectCommand | BackupCommand;

/** Steps in order, each with its compensation, and what the outcome means to the site or project. */
export interface Workflow<I> {
  readonly kind: WorkflowKind;
  /** The step under way may be given up on request. */
  readonly cancellable: boolean;
  /** Its steps move data: they may take many times the usual deadline. */
  readonly patient?: true;
  readonly steps: readonly Step<I>[];
  succeed(operationId: string, outputs: Outputs): Settlement;
  fail(operationId: string, failure: Failure): Settlement;
}

export function isFact(message: MessageOf<MessageType>): message is Fact {
  return (factTypes as readonly string[]).includes(message.type);
}
