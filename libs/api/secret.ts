import { z } from 'zod';
import { pageOf, pageQuery } from './paging.js';
import { reference } from './reference.js';

/** A secret as shown: never its value. */
export const secret = z.object({
  name: z.string(),
  version: z.int().describe('From 1; each new value is one more'),
  isGenerated: z.boolean().describe('Whether the vault made the value itself'),
  siteId: z.string().optional().describe('The site that it was made for'),
  createdAt: z.string(),
  updatedAt: z.string().describe('When it got the value that it has'),
  openedAt: z.string().optional().describe('When somebody, or a piece of work, was last given the value'),
});
export type Secret = z.output<typeof secret>;

export const secretPage = pageOf(secret);
export const secretFilter = pageQuery;

const MOST_BYTES = 65_536;
const isShortEnough = (value: string): boolean => new TextEncoder().encode(value).length <= MOST_BYTES;

export const newSecret = z
  .strictObject({
    value: z.string().min(1).max(MOST_BYTES).refine(isShortEnough, `A secret has at most ${MOST_BYTES} bytes.`).optional().describe('The value; it is sealed before it is stored').meta({ examples: ['sample'] }),
    generate: z.int().min(20).max(256).optional().describe('In place of a value: so many letters and digits that the vault makes itself'),
  })
  .refine(({ value, generate }) => (value === undefined) !== (generate === undefined), { path: ['value'], message: 'Give the value, or say with generate how long the vault shall make one.' })
  .meta({ examples: [{ value: 'sample' }] });

const project = reference('project', 'Id or name of the project');
export const secretsRef = z.strictObject({ id: project });
export const secretRef = z.strictObject({ id: project, name: reference('secret', 'Name of the secret, slashes encoded') });
export const newSecretRef = z.strictObject({ id: project, name: z.string().min(1).max(200).describe('Small letters, digits and hyphens') });

/** The value is in this answer and nowhere else. */
export const revealedSecret = z.object({ name: z.string(), version: z.int(), value: z.string() });

export const revealedPassword = z.object({ siteId: z.string(), user: z.string(), password: z.string().describe('What it was installed with'), url: z.string().describe('Where to sign in') });

export const rotatedMasterKey = z.object({ from: z.string().describe('Id of the master key before'), to: z.string(), rewrapped: z.int().describe('Keyrings that were wrapped anew') });
