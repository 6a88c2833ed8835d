import { z } from 'zod';
import { role } from './member.js';
import { everyOwner, pageOf, pageQuery } from './paging.js';
import { quota, used } from './quota.js';
import { reference } from './reference.js';

export const projectStatus = z.enum(['pending', 'provisioning', 'running', 'failed', 'deleting', 'deleted']);

export const project = z.object({
  id: z.string(),
  name: z.string(),
  status: projectStatus,
  owner: z.string().describe('Who founded it: its name, and those of its sites, are unique among theirs'),
  role: role.optional().describe('What you are in it; absent for an operator of the plane who is no member'),
  hostId: z.string(),
  siteCount: z.int(),
  quota: quota.describe('What it may have at most; null: as much as there is'),
  use: used.describe('What its sites have of that'),
  lastError: z.string().optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type Project = z.output<typeof project>;

export const projectAccepted = project.extend({ operationId: z.string() });
export const projectPage = pageOf(project);

/** accepted: an operation began. left-out: it does not apply to this site. refused: it could not begin, and the others go on. */
const switchedSite = z.object({
  siteId: z.string(),
  name: z.string(),
  status: z.enum(['accepted', 'left-out', 'refused']),
  operationId: z.string().optional(),
  reason: z.string().optional().describe('Why it was left out or refused'),
});
export type SwitchedSite = z.output<typeof switchedSite>;

export const projectSwitched = z.object({
  projectId: z.string(),
  name: z.string(),
  action: z.string(),
  operationId: z.string().optional().describe('repair: of the project itself, where it had failed'),
  sites: z.array(switchedSite),
});
export type ProjectSwitched = z.output<typeof projectSwitched>;

export const projectRestore = z.strictObject({
  until: z.iso.datetime({ offset: true }).optional().describe('Each site goes back to its newest backup that was begun by this time; without it, to its newest'),
});

export const newProject = z.strictObject({
  name: z.string().min(1).max(200).describe('Letters a to z, digits and hyphens, at most 48'),
});

export const projectFilter = pageQuery.extend({
  name: z.string().max(200).optional(),
  status: projectStatus.optional().describe('Without it, all that are not deleted'),
  all: everyOwner,
});

export const projectRef = z.strictObject({ id: reference('project', 'Id or name of the project') });
