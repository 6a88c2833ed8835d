import { z } from 'zod';
import { roles } from '#domain/access/rights.js';
import { pageOf, pageQuery } from './paging.js';
import { reference } from './reference.js';

export const role = z.enum(roles);

const person = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._@-]{0,99}$/, 'A name of a person has small letters, digits, dots, hyphens, underscores or @, at most 100 of them.');

export const member = z.object({
  member: z.string().describe("Owner of the tokens that act as this member"),
  role,
  since: z.string(),
});
export type Member = z.output<typeof member>;

export const memberPage = pageOf(member);
export const memberFilter = pageQuery;
export const newMember = z.strictObject({ member: person, role });
export const changedMember = z.strictObject({ role });
export const memberRef = z.strictObject({ id: reference('project', 'Id or name of the project'), member: reference('member', 'Who') });
