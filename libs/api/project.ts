import { z } from 'zod';
import { everyOwner, pageOf, pageQuery } from './paging.js';

export const projectStatus = z.enum(['pending', 'provisioning', 'running', 'failed', 'deleting', 'deleted']);

export const project = z.object({
  id: z.string(),
  name: z.string(),
  status: projectStatus,
  hostId: z.string(),
  siteCount: z.int(),
  lastError: z.string().optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type Project = z.output<typeof project>;

export const projectAccepted = project.extend({ operationId: z.string() });
export const projectPage = pageOf(project);

export const newProject = z.strictObject({
  name: z.string().min(1).max(200).describe('Letters a to z, digits and hyphens, at most 48'),
});

export const projectFilter = pageQuery.extend({
  name: z.string().max(200).optional(),
  status: projectStatus.optional().describe('Without it, all that are not deleted'),
  all: everyOwner,
});

export const projectRef = z.strictObject({ id: z.string().min(1).max(200).describe('Id or name of the project') });
