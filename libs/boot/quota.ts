import type { Quota } from '#domain/project/quota.js';
import { unlimitedOr, bytes, wholeNumber } from './fields.js';

/** What a project may have that has no quota of its own. Lifecycle decides by it, the gateway shows it. */
export const quotaFields = {
  HOSTPLANE_QUOTA_SITES: unlimitedOr(wholeNumber(0, 1_000_000)).default(null),
  HOSTPLANE_QUOTA_MEMORY: unlimitedOr(bytes()).default(null),
  HOSTPLANE_QUOTA_CPU_MILLIS: unlimitedOr(wholeNumber(0, 10_000_000)).default(null),
  HOSTPLANE_QUOTA_DISK: unlimitedOr(bytes()).default(null),
};

export interface QuotaSettings {
  readonly HOSTPLANE_QUOTA_SITES: number | null;
  readonly HOSTPLANE_QUOTA_MEMORY: number | null;
  readonly HOSTPLANE_QUOTA_CPU_MILLIS: number | null;
  readonly HOSTPLANE_QUOTA_DISK: number | null;
}

export function usualQuota(settings: QuotaSettings): Quota {
  return {
    sites: settings.HOSTPLANE_QUOTA_SITES, memoryBytes: settings.HOSTPLANE_QUOTA_MEMORY,
    cpuMillis: settings.HOSTPLANE_QUOTA_CPU_MILLIS, diskBytes: settings.HOSTPLANE_QUOTA_DISK,
  };
}
