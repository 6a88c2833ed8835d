import type { AppSpec, ContentRef, SiteRequested, WordPressSpec } from '#contracts/gen/hostplane/v1/site.js';
import { keyOf, type StoredMessage } from '#contracts/message.js';
import { switchWorkflow } from '#domain/site/switch.js';
import type { KeyedTable } from './keyed-table.js';

export type SiteRow = {
  id: string;
  owner: string;
  project_id: string;
  name: string;
  kind: string;
  runtime: string;
  host_id: string;
  /** Whose data it has; empty: its own. */
  data_id: string;
  /** Label under the base domain. */
  hostname: string;
  status: string;
  power: string;
  /** JSON; the names of its variables, never their values. */
  app: string | null;
  /** JSON. */
  wordpress: string | null;
  /** JSON of the update that is under way. */
  next_wordpress: string | null;
  /** JSON of those that are not the host's. */
  limits: string | null;
  /** What became of its data, once it is destroyed: kept, taken, discarding or gone. Before that `kept` when it is to stay. */
  data: string | null;
  /** JSON of the release that is live. */
  release: string | null;
  /** JSON of the release that is on its way. */
  next_release: string | null;
  operation_id: string | null;
  operation_kind: string | null;
  last_error: string | null;
  /** JSON: how its workload was last seen to be; null before it was ever live. */
  health: string | null;
  /** JSON: status by name of each custom domain. */
  domains: string;
  /** The custom domain that it is known by. */
  primary_domain: string | null;
  created_position: number;
  created_at: string;
  updated_at: string;
};

/** SQL for the sha256 of the content of a release, in a column of releases. */
export function contentOf(release: string): string {
  return `substring(${release} from '"sha256":"([0-9a-f]+)"')`;
}

/** Sites as they are shown. */
export const sitesTable: KeyedTable<SiteRow> = {
  table: 'sites',
  columns: {
    id: 'text', owner: 'text', project_id: 'text', name: 'text', kind: 'text', runtime: 'text', host_id: 'text', data_id: 'text', hostname: 'text', status: 'text', power: 'text',
    app: 'text', wordpress: 'text', next_wordpress: 'text', limits: 'text', data: 'text', release: 'text', next_release: 'text', operation_id: 'text', operation_kind: 'text', last_error: 'text', health: 'text', domains: 'text', primary_domain: 'text',
    created_position: 'bigint', created_at: 'text', updated_at: 'text',
  },
  indexes: ['project_id, created_position DESC', 'project_id, name', 'owner, name', 'created_position DESC', contentOf('release'), contentOf('next_release')],
  keyOf: (message) => (message.streamId.startsWith('site/') || message.type === 'PrimaryDomainChosen' || message.type === 'WorkloadObserved' ? keyOf(message.streamId) : undefined),
  fold(row, message) {
    if (message.type === 'SiteRequested') return row ?? requested(message.data, message);
    if (!row) return undefined;
    const change = changeOf(row, message);
    return change && { ...row, ...change, updated_at: message.recordedAt };
  },
};

const free = { operation_id: null, operation_kind: null };

function requested(data: SiteRequested, { position, recordedAt }: StoredMessage): SiteRow {
  return {
    id: data.siteId, owner: data.ownerId, project_id: data.projectId, name: data.name, kind: data.kind, runtime: data.runtime, host_id: data.hostId, data_id: data.dataId,
    hostname: data.hostname, status: 'CREATED', power: 'running', app: data.app ? shownApp(data.app) : null, wordpress: data.wordpress ? shownWordPress(data.wordpress) : null, next_wordpress: null, limits: shownLimits(data), data: null,
    release: data.content ? shownRelease(data, 'live') : null, next_release: null,
    operation_id: data.operationId, operation_kind: launchOf(data), last_error: null, health: null, domains: '{}', primary_domain: null, created_position: position, created_at: recordedAt, updated_at: recordedAt,
  };
}

function changeOf(row: SiteRow, message: StoredMessage): Partial<SiteRow> | undefined {
  switch (message.type) {
    case 'SiteProvisioningStarted':
      return { status: 'PROVISIONING', operation_id: message.data.operationId, operation_kind: launchOf(row) };
    case 'SiteActivated':
      return { ...free, status: 'ACTIVE', power: 'running', last_error: null, health: shownHealth({ state: 'healthy', detail: '' }, message) };
    case 'WorkloadObserved':
      return { health: shownHealth(message.data, message) };
    case 'SiteFailed':
      return { ...free, status: 'FAILED', last_error: errorAt(message.data) };
    case 'SiteRetryRequested':
      return { operation_id: message.data.operationId, operation_kind: launchOf(row) };
    case 'SiteDestroyRequested':
      return { status: 'DESTROYING', data: message.data.keepData && holdsData(row) ? 'kept' : null, operation_id: message.data.operationId, operation_kind: row.kind === 'wordpress' ? 'remove-wordpress' : 'remove-site' };
    case 'SiteDestroyed':
      return { ...free, status: 'DESTROYED', data: row.data ?? 'gone', last_error: null, next_release: null };
    case 'SiteDomainNoted':
      return { domains: notedDomains(row.domains, message.data) };
    case 'SiteDomainStatusChanged':
      return { status: message.data.status };
    case 'PrimaryDomainChosen':
      return { primary_domain: message.data.name || null };
    case 'SiteSwitchRequested':
      return { operation_id: message.data.operationId, operation_kind: switchWorkflow(message.data.action, row.kind, row.power) };
    case 'SiteSwitched':
      return { ...free, power: message.data.power === 'stopped' ? 'stopped' : 'running', health: healthAfter(row, message), last_error: null };
    case 'SiteUpdateRequested':
      return { next_wordpress: message.data.wordpress ? shownWordPress(message.data.wordpress) : null, operation_id: message.data.operationId, operation_kind: 'update-site' };
    case 'SiteUpdated':
      return { ...free, wordpress: row.next_wordpress, next_wordpress: null, last_error: null };
    case 'SiteUpdateFailed':
      return { ...free, next_wordpress: null, last_error: errorAt(message.data) };
    case 'SiteSwitchFailed':
      return { ...free, last_error: errorAt(message.data) };
    default:
      return releaseChange(row, message) ?? dataChange(row, message);
  }
}

function releaseChange(row: SiteRow, message: StoredMessage): Partial<SiteRow> | undefined {
  switch (message.type) {
    case 'SiteReleaseRequested':
      return { next_release: shownRelease(message.data, 'waiting') };
    case 'SiteReleaseStarted':
      return { next_release: shownRelease(message.data, 'publishing'), operation_id: message.data.operationId, operation_kind: 'publish-release' };
    case 'SiteReleaseDropped':
      return row.next_release?.includes(`"${message.data.releaseId}"`) ? { next_release: null } : {};
    case 'SiteReleasePublished':
      return { ...free, release: row.next_release?.replace('"publishing"', '"live"') ?? row.release, next_release: null, last_error: null };
    case 'SiteReleaseFailed':
      return { ...free, next_release: null, last_error: errorAt(message.data) };
    default:
      return undefined;
  }
}

function dataChange(row: SiteRow, message: StoredMessage): Partial<SiteRow> | undefined {
  switch (message.type) {
    case 'SiteBackupRequested':
      return { operation_id: message.data.operationId, operation_kind: 'backup-site' };
    case 'SiteRestoreRequested': {
      const next = message.data.content ? { next_release: shownRelease(message.data, 'publishing') } : {};
      return { operation_id: message.data.operationId, operation_kind: row.kind === 'wordpress' ? 'restore-wordpress' : 'restore-site', ...next };
    }
    case 'SiteBackedUp':
      return { ...free, last_error: null };
    case 'SiteRestored': {
      const release = message.data.content ? shownRelease(message.data, 'live') : null;
      return { ...free, data_id: message.data.dataId, release, next_release: null, last_error: null };
    }
    case 'SiteBackupFailed':
      return { ...free, last_error: message.data.error };
    case 'SiteRestoreFailed':
      return { ...free, next_release: null, last_error: message.data.error };
    case 'SiteDataTakenOver':
      return { data: 'taken' };
    case 'SiteDataDiscardRequested':
      return { data: 'discarding', operation_id: message.data.operationId, operation_kind: row.kind === 'wordpress' ? 'discard-wordpress-data' : 'discard-data' };
    case 'SiteDataDiscarded':
      return { ...free, data: 'gone', last_error: null };
    case 'SiteDataDiscardFailed':
      return { ...free, last_error: errorAt(message.data) };
    default:
      return undefined;
  }
}

/** Whether there is something that could stay: it was live once (only then its health is known), or took over what another one left. */
const holdsData = ({ health, data_id }: SiteRow): boolean => health !== null || data_id !== '';

/** What was made to run anew was seen to be well then; what was right before a repair, and whatever is not well, is as it was. */
function healthAfter({ health }: SiteRow, message: StoredMessage<'SiteSwitched'>): string | null {
  const isAnew = message.data.action === 'start' || message.data.action === 'restart';
  return isAnew && health?.includes('"state":"healthy"') ? shownHealth({ state: 'healthy', detail: '' }, message) : health;
}

function shownHealth({ state, detail }: { state: string; detail: string }, { recordedAt: since }: StoredMessage): string {
  return JSON.stringify({ state, since, ...(detail && { detail }) });
}

function shownApp({ image, port, env, healthPath, sealedEnv, secretEnv }: AppSpec): string {
  const envNames = [...Object.keys(env), ...[...sealedEnv, ...secretEnv].map(({ name }) => name)].sort();
  const envSecrets = secretEnv.length > 0 ? Object.fromEntries(secretEnv.map(({ name, secret }) => [name, secret])) : undefined;
  return JSON.stringify({ image, port, envNames, envSecrets, healthPath });
}

function shownWordPress({ phpVersion, adminUser, database }: WordPressSpec): string {
  return JSON.stringify({ ...(phpVersion && { phpVersion }), adminUser, database });
}

function shownLimits({ limits }: SiteRequested): string | null {
  const set = Object.entries(limits ?? {}).filter(([, value]) => value !== 0);
  return set.length > 0 ? JSON.stringify(Object.fromEntries(set)) : null;
}

const launchOf = ({ kind, backupId = '' }: { kind: string; backupId?: string }): string => {
  if (backupId !== '') return kind === 'wordpress' ? 'launch-wordpress-from-backup' : 'launch-from-backup';
  return kind === 'wordpress' ? 'launch-wordpress' : 'launch-site';
};

/** Why it failed, and at which step. */
const errorAt = ({ step, error }: { step: string; error: string }): string => (step ? `${step}: ${error}` : error);

function shownRelease({ releaseId, content }: { releaseId: string; content: ContentRef | undefined }, status: string): string {
  const { sha256 = '', sizeBytes = 0, format = '', fileCount = 0 } = content ?? {};
  return JSON.stringify({ id: releaseId, status, sha256, sizeBytes, format, fileCount });
}

function notedDomains(before: string, { name, status }: { name: string; status: string }): string {
  const { [name]: _, ...others } = JSON.parse(before) as Record<string, string>;
  return JSON.stringify(status === 'removed' ? others : { ...others, [name]: status });
}
