import type { BackupRef } from '#contracts/gen/hostplane/v1/backup.js';
import type { ContentRef, SiteRequested, WordPressSpec } from '#contracts/gen/hostplane/v1/site.js';
import type { Target } from '#contracts/gen/hostplane/v1/target.js';
import type { MessageOf } from '#contracts/registry.js';
import type { Decider } from '../decider.js';
import type { DataStatus } from './data-status.js';
import { decideSite } from './decide.js';
import { evolveSite } from './evolve.js';
import type { SiteStatus } from './status.js';

/** Content that was uploaded, with the operation that puts it live. */
export interface Release {
  readonly operationId: string;
  readonly releaseId: string;
  readonly content: ContentRef | undefined;
}

/** What the site is busy with; at most one thing at a time (L4). */
export type Operation =
  | { readonly kind: 'launch' | 'remove' | 'discard'; readonly id: string }
  | { readonly kind: 'release'; readonly id: string; readonly release: Release }
  | { readonly kind: 'switch'; readonly id: string; readonly action: string }
  /** `destroyOperationId`: the operation that destroys the site afterwards; empty: it lives on. */
  | { readonly kind: 'backup'; readonly id: string; readonly backupId: string; readonly destroyOperationId: string }
  | { readonly kind: 'restore'; readonly id: string; readonly backupId: string; readonly dataId: string; readonly release: Release | undefined }
  | { readonly kind: 'update'; readonly id: string; readonly wordpress: WordPressSpec | undefined };

export interface Site {
  readonly status: SiteStatus;
  /** What was asked for when it was created. */
  readonly request: SiteRequested;
  readonly power: 'running' | 'stopped';
  /** Whose volumes and database it has; empty: its own. */
  readonly dataId: string;
  /** The release that is live. */
  readonly release?: Release;
  /** Accepted while the site was busy; its turn comes when the site is free. */
  readonly waiting?: Release;
  readonly operation?: Operation;
  readonly target?: Target;
  /** Whether it was ever live: its data must then survive a failed operation. */
  readonly wasActive: boolean;
  /** Whether its data was asked to stay when it is destroyed. */
  readonly keepsData: boolean;
  readonly data: DataStatus;
  /** The site that took its data over. */
  readonly heirId?: string;
  /** How each custom domain is, by name; removed ones too, so that late news of them is known to be late. */
  readonly domains: ReadonlyMap<string, NotedDomain>;
}

/** A custom domain as the site was last told of it. */
export interface NotedDomain {
  readonly status: string;
  /** Version of the domain's stream that said so. */
  readonly version: number;
}

export type SiteState = { readonly status: 'ABSENT' } | Site;

export type SiteCommand =
  | { type: 'RequestSite'; site: SiteRequested }
  | { type: 'BeginProvisioning'; operationId: string }
  | { type: 'ActivateSite'; operationId: string; target: Target | undefined }
  | { type: 'FailSite'; operationId: string; step: string; error: string; undone: readonly string[] }
  | { type: 'RetrySite'; operationId: string }
  | { type: 'PublishRelease'; operationId: string; releaseId: string; content: ContentRef | undefined }
  | { type: 'FinishRelease'; operationId: string; target: Target | undefined }
  | { type: 'FailRelease'; operationId: string; step: string; error: string }
  | { type: 'SwitchSite'; operationId: string; action: string }
  | { type: 'FinishSwitch'; operationId: string; target?: Target | undefined }
  | { type: 'FailSwitch'; operationId: string; step: string; error: string }
  | { type: 'UpdateSite'; operationId: string; phpVersion: string }
  | { type: 'FinishUpdate'; operationId: string; target: Target | undefined }
  | { type: 'FailUpdate'; operationId: string; step: string; error: string }
  | { type: 'DestroySite'; operationId: string; keepData: boolean }
  | { type: 'FinishDestroy'; operationId: string }
  | { type: 'NoteDomain'; name: string; status: string; version: number }
  | SiteDataCommand
  | LeftDataCommand;

export type SiteDataCommand =
  | { type: 'BackUpSite'; operationId: string; backupId: string; destroyOperationId: string }
  | { type: 'FinishBackup'; operationId: string; ref: BackupRef | undefined; durationMs: number; frozenMs: number }
  | { type: 'FailBackup'; operationId: string; step: string; error: string }
  | { type: 'RestoreSite'; operationId: string; backupId: string; dataId: string; releaseId: string; content: ContentRef | undefined }
  | { type: 'FinishRestore'; operationId: string; target: Target | undefined }
  | { type: 'FailRestore'; operationId: string; step: string; error: string };

/** About the data that a destroyed site left. */
export type LeftDataCommand =
  /** Another site goes on with it. */
  | { type: 'HandOverData'; heirId: string }
  | { type: 'DiscardData'; operationId: string; name: string }
  | { type: 'FinishDiscard'; operationId: string }
  | { type: 'FailDiscard'; operationId: string; step: string; error: string };

export type SiteEventType =
  | 'SiteRequested' | 'SiteProvisioningStarted' | 'SiteActivated' | 'SiteFailed' | 'SiteRetryRequested'
  | 'SiteDestroyRequested' | 'SiteDestroyed'
  | 'SiteReleaseRequested' | 'SiteReleaseStarted' | 'SiteReleaseDropped' | 'SiteReleasePublished' | 'SiteReleaseFailed'
  | 'SiteSwitchRequested' | 'SiteSwitched' | 'SiteSwitchFailed'
  | 'SiteBackupRequested' | 'SiteBackedUp' | 'SiteBackupFailed' | 'SiteRestoreRequested' | 'SiteRestored' | 'SiteRestoreFailed'
  | 'SiteDataTakenOver' | 'SiteDataDiscardRequested' | 'SiteDataDiscarded' | 'SiteDataDiscardFailed'
  | 'SiteDomainNoted' | 'SiteDomainStatusChanged'
  | 'SiteUpdateRequested' | 'SiteUpdated' | 'SiteUpdateFailed'
  | 'ForgetSecrets';

export type SiteEvent = MessageOf<SiteEventType>;

/** A site's life: which statuses it may take, and that it does one thing at a time. */
export const siteDecider: Decider<SiteState, SiteCommand, SiteEventType> = {
  category: 'site',
  initial: { status: 'ABSENT' },
  decide: decideSite,
  evolve: evolveSite,
};
