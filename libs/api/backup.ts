import { z } from 'zod';
import { everyOwner, flag, pageOf, pageQuery } from './paging.js';
import { reference } from './reference.js';

/** taking: on its way. deleting: on its way out. */
export const backupStatus = z.enum(['taking', 'taken', 'failed', 'deleting', 'deleted']);

export const backup = z.object({
  id: z.string(),
  status: backupStatus,
  siteId: z.string(),
  siteName: z.string().describe('Name of the site when the backup was taken'),
  kind: z.string().describe('Kind of the site'),
  projectId: z.string(),
  target: z.string().optional().describe('Where it is: local or s3'),
  sizeBytes: z.int().optional(),
  sha256: z.string().optional().describe('Over the whole archive; checked before anything is restored'),
  durationMs: z.int().optional(),
  frozenMs: z.int().optional().describe('How long the site stood still for it'),
  error: z.string().optional().describe('Why it failed, or could not be deleted'),
  operationId: z.string().describe('The operation that took it'),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type Backup = z.output<typeof backup>;

export const backupAccepted = backup.extend({ operationId: z.string() });
export const backupPage = pageOf(backup);
export const backupFilter = pageQuery;
export const allBackups = pageQuery.extend({ projectId: reference('project', 'Id or name of the project').optional(), all: everyOwner });
export const backupRef = z.strictObject({ id: reference('backup', 'Id of the backup') });

export const restoreInput = z
  .strictObject({
    name: z.string().min(1).max(200).optional().describe('Name of a new site that begins with the data; without it the site that it was taken of goes back to it'),
    projectId: reference('project', 'Id or name of the project that the new site is made in; without it, the one that the backup was taken in').optional(),
  })
  .refine(({ name, projectId }) => name !== undefined || projectId === undefined, { path: ['name'], message: 'In another project it becomes a new site: give it a name.' })
  .meta({ examples: [{ name: 'restored' }] });
export const siteRemoval = z.strictObject({
  backup: flag.optional().describe('true: a backup is taken first, and the site destroyed only when it is there'),
  keepData: flag.optional().describe('true: volumes and database stay; a new site can take them over with restoreFrom, or DELETE /sites/{id}/data discards them'),
});

export const dataRemoval = z.strictObject({ name: z.string().max(200).optional().describe('What the site was called: nothing is discarded when it was called otherwise') });

export const volume = z.object({
  name: z.string(),
  siteId: z.string().optional().describe('The site that it is of; absent when none has it now'),
  leftBy: z.string().optional().describe('The destroyed site whose data it was, and is kept'),
  role: z.enum(['data', 'database', 'release']).describe('data, database: what the site has written itself. release: content that was published'),
  path: z.string().describe('Where the site sees it; empty of a database, and where there is no container'),
  bytes: z.int(),
});
export type Volume = z.output<typeof volume>;
export const volumeList = z.object({
  items: z.array(volume),
  bytes: z.int().describe('All of them together'),
  writtenBytes: z.int().describe('Those of the roles data and database: what of them the quota of the disk counts. Of releases it counts the uploads'),
});
