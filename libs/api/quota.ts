import { z } from 'zod';

const most = (description: string) => z.int().min(0).nullable().describe(description);

/** What a project may have at most; null: as much as there is. */
export const quota = z.object({
  sites: most('How many sites'),
  memoryBytes: most('Memory of all containers, that of a database server of its own too'),
  cpuMillis: most('Thousandths of a core, of the same'),
  diskBytes: most('Of uploads, and of what sites have written: a limit on what is added, never on what is there'),
});
export type ShownQuota = z.output<typeof quota>;

/** What a project's sites have of it. */
export const used = z.object({
  sites: z.int(),
  memoryBytes: z.int(),
  cpuMillis: z.int(),
  diskBytes: z.int().describe('The next two together'),
  uploadBytes: z.int().describe('The newest upload of each site'),
  writtenBytes: z.int().describe('In volumes and databases, as it was measured last: the figures that the list of volumes shows. What is left of destroyed sites counts too'),
});

/** The whole quota, in place of the one before: what is left out is as the plane's configuration says. */
export const newQuota = z.strictObject({
  sites: quota.shape.sites.optional(),
  memoryBytes: quota.shape.memoryBytes.optional(),
  cpuMillis: quota.shape.cpuMillis.optional(),
  diskBytes: quota.shape.diskBytes.optional(),
});
