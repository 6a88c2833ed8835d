import { createHash } from 'node:crypto';
import { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';

/**
 * Tells two specs apart: 32 hex digits of the sha256 of the spec with its keys in order. Power and restarted_after are left out: they are
 * obeyed without making the workload anew.
 */
export function specHash(spec: WorkloadSpec): string {
  const lasting = WorkloadSpec.toJSON({ ...spec, power: '', restartedAfter: '' });
  return createHash('sha256').update(JSON.stringify(inOrder(lasting))).digest('hex').slice(0, 32);
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, inOrder(v)]));
}
