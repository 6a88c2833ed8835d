import type { DomainChecked, DomainRequested } from '#contracts/gen/hostplane/v1/domain.js';
import type { StoredMessage } from '#contracts/message.js';
import type { KeyedTable } from './keyed-table.js';

export type DomainRow = {
  claim_id: string;
  name: string;
  site_id: string;
  project_id: string;
  status: string;
  redirect_to: string;
  redirect_status: number;
  /** JSON of DnsRecord[]. */
  expected: string;
  /** JSON of DnsFinding[]. */
  found: string;
  /** 1: yes. */
  owned: number;
  points_here: number;
  checks: number;
  last_check_at: string | null;
  next_check_at: string | null;
  deadline_at: string | null;
  last_error: string | null;
  /** What failed: records, validation, routing or tunnel. */
  failed_step: string | null;
  /** JSON of DnsRecord[]: those that the plane sets itself. */
  managed: string;
  /** setting, set, removing or none. */
  managed_phase: string;
  tunnel: string;
  created_position: number;
  created_at: string;
  updated_at: string;
};

/** Custom domains as they are shown: one row a claim, so that a name that went from one owner to another is two rows. */
export const domainsTable: KeyedTable<DomainRow> = {
  table: 'domains',
  columns: {
    claim_id: 'text', name: 'text', site_id: 'text', project_id: 'text', status: 'text', redirect_to: 'text', redirect_status: 'int', expected: 'text', found: 'text', owned: 'int',
    points_here: 'int', checks: 'int', last_check_at: 'text', next_check_at: 'text', deadline_at: 'text', last_error: 'text', failed_step: 'text', managed: 'text', managed_phase: 'text', tunnel: 'text', created_position: 'bigint', created_at: 'text', updated_at: 'text',
  },
  indexes: ['name', 'site_id, created_position DESC'],
  keyOf: (message) => (message.streamId.startsWith('domain/') ? (message.data as { claimId: string }).claimId : message.type === 'WorkDelayed' ? message.data.operationId : undefined),
  fold(row, message) {
    if (message.type === 'DomainRequested') return row ?? requested(message.data, message);
    if (!row) return undefined;
    if (message.type === 'WorkDelayed') return delayed(row, message);
    const { status } = message.data as { status: string };
    return { ...row, status, ...changeOf(row, message), updated_at: message.recordedAt };
  },
};

function requested(data: DomainRequested, { position, recordedAt }: StoredMessage): DomainRow {
  return {
    claim_id: data.claimId, name: data.name, site_id: data.siteId, project_id: data.projectId, status: data.status, redirect_to: data.redirectTo, redirect_status: data.redirectStatus,
    expected: JSON.stringify(data.expected), found: '[]', owned: 0, points_here: 0, checks: 0, last_check_at: null, next_check_at: data.nextCheckAt, deadline_at: data.deadlineAt,
    last_error: null, failed_step: null, managed: JSON.stringify(data.managed), managed_phase: data.managed.length > 0 ? 'setting' : 'none', tunnel: '', created_position: position, created_at: recordedAt, updated_at: recordedAt,
  };
}

/** The edge that a claim waits for does not do it yet. */
function delayed(row: DomainRow, { data, recordedAt }: StoredMessage<'WorkDelayed'>): DomainRow | undefined {
  return row.status === 'routing' || row.status === 'removing' ? { ...row, last_error: data.error, failed_step: data.step || 'routing', updated_at: recordedAt } : undefined;
}

function changeOf(row: DomainRow, message: StoredMessage): Partial<DomainRow> {
  switch (message.type) {
    case 'DomainChecked':
      return checked(message.data, message.recordedAt);
    case 'DomainCheckRequested':
      return { next_check_at: message.data.nextCheckAt, deadline_at: message.data.status === 'active' ? row.deadline_at : message.data.deadlineAt, ...(row.status === 'failed' ? anew(row) : {}) };
    case 'DomainActivated':
      return { last_error: null, failed_step: null, deadline_at: null, tunnel: message.data.tunnel };
    case 'DomainFailed':
      return { last_error: message.data.error, failed_step: message.data.step, deadline_at: null, next_check_at: null, ...undoing(row) };
    case 'DomainRecordsSet':
      return { managed: JSON.stringify(message.data.records), managed_phase: message.data.records.length > 0 ? 'set' : 'none', last_error: null, failed_step: null, next_check_at: message.data.nextCheckAt || null };
    case 'DomainRecordsDelayed':
      return { next_check_at: message.data.nextTryAt, ...(row.status === 'failed' ? {} : { last_error: message.data.error, failed_step: 'records' }) };
    case 'DomainRecordsRemoved':
      return { managed_phase: 'none', next_check_at: null };
    case 'DomainReleased':
      return { tunnel: '', next_check_at: null, ...undoing(row) };
    case 'DomainRemovalDelayed':
      return { last_error: message.data.error, failed_step: 'routing' };
    case 'DomainRemovalRequested':
      return { last_error: null, failed_step: null, next_check_at: null, deadline_at: null };
    default:
      return {};
  }
}

/** A failed domain that is tried again begins with its records, if the plane sets them. */
const anew = ({ managed }: DomainRow): Partial<DomainRow> => ({ last_error: null, failed_step: null, ...(managed === '[]' ? {} : { managed_phase: 'setting' }) });

/** What was set goes next. */
const undoing = ({ managed_phase }: DomainRow): Partial<DomainRow> => (managed_phase === 'none' ? {} : { managed_phase: 'removing' });

function checked(data: DomainChecked, at: string): Partial<DomainRow> {
  return {
    expected: JSON.stringify(data.expected), found: JSON.stringify(data.found), owned: Number(data.isOwned), points_here: Number(data.pointsHere), checks: data.check,
    last_check_at: at, next_check_at: data.nextCheckAt || null, last_error: data.missing || null,
  };
}
