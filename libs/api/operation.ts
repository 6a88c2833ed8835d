import { z } from 'zod';
import { everyOwner, pageOf, pageQuery } from './paging.js';
import { reference } from './reference.js';

/** waiting: another operation holds the site. dropped: a newer one took its place while it waited. */
export const operationStatus = z.enum(['waiting', 'running', 'undoing', 'succeeded', 'failed', 'dropped']);
export type OperationStatus = z.output<typeof operationStatus>;

export const operationStep = z.object({
  name: z.string(),
  status: z.enum(['waiting', 'running', 'succeeded', 'failed', 'undoing', 'undone', 'undo-failed']),
  startedAt: z.string().optional(),
  endedAt: z.string().optional(),
  error: z.string().optional(),
});
export type OperationStep = z.output<typeof operationStep>;

/** One run of a workflow, step by step. */
export const operation = z.object({
  id: z.string(),
  kind: z.string().describe('Name of the workflow, for example launch-site'),
  status: operationStatus,
  siteId: z.string().optional(),
  projectId: z.string().optional(),
  steps: z.array(operationStep),
  error: z.string().optional(),
  failedStep: z.string().optional(),
  delay: z.string().optional().describe('Why the step under way is not done yet: what its last try said. It is tried again'),
  progress: z.object({ phase: z.string(), bytes: z.int() }).optional().describe('How far the step under way is, where it moves data'),
  undone: z.array(z.string()).describe('Steps whose effects were taken back, in the order in which it was done'),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type Operation = z.output<typeof operation>;

export const operationPage = pageOf(operation);
export const operationFilter = pageQuery.extend({
  siteId: reference('site', 'Id or name of a site').optional(),
  projectId: reference('project', 'Id or name of a project').optional(),
  status: operationStatus.optional(),
  all: everyOwner,
});
export const operationRef = z.strictObject({ id: reference('operation', 'Id of the operation') });
export const cancelInput = z.strictObject({ reason: z.string().max(500).optional() });

/** Workflows that move data, and can say how far they are. */
export const movingData: readonly string[] = ['backup-site', 'restore-site', 'restore-wordpress', 'launch-from-backup', 'launch-wordpress-from-backup'];

/** Whether nothing more will happen in an operation of this status. */
export function isEnded(status: OperationStatus): boolean {
  return status === 'succeeded' || status === 'failed' || status === 'dropped';
}
