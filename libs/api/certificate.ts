import { z } from 'zod';
import { everyOwner, pageOf, pageQuery } from './paging.js';
import { reference } from './reference.js';

export const certificateStatus = z
  .enum(['requested', 'issuing', 'issued', 'deployed', 'renewing', 'failed', 'revoking', 'revoked', 'removing', 'removed'])
  .describe('deployed: visitors get it. renewing, failed: what was deployed before goes on being served, as notAfter says');

/** What a domain shows of its certificate. */
export const certificateSummary = z.object({
  status: certificateStatus,
  authority: z.string().describe('Who issued it, or is to; uploaded: a member brought it'),
  issuer: z.string().optional(),
  notAfter: z.string().optional().describe('When the one that is served ends'),
  expiresInDays: z.int().optional().describe('It ends within so many days and was not renewed'),
  lastError: z.string().optional(),
});

export const certificate = certificateSummary.extend({
  domain: z.string(),
  siteId: z.string(),
  names: z.array(z.string()),
  serial: z.string().optional(),
  fingerprint: z.string().optional().describe('Hex sha256'),
  notBefore: z.string().optional(),
  renewAt: z.string().optional().describe('When it is renewed by itself'),
  failedStep: z.string().optional().describe('order, proof, issuance, deployment or revocation'),
  nextTryAt: z.string().optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type Certificate = z.output<typeof certificate>;

export const certificatePage = pageOf(certificate);
export const certificateFilter = pageQuery.extend({
  siteId: reference('site', 'Id or name of the site').optional(),
  status: certificateStatus.optional(),
  all: everyOwner,
});

export const newCertificate = z.strictObject({
  chain: z.string().min(1).max(65_536).describe('PEM: the certificate first, then those that lead to a root'),
  key: z.string().min(1).max(16_384).describe('PEM of its private key, without a passphrase; sealed before anything of it is stored, and never shown again'),
});
export const renewalInput = z.strictObject({ newKey: z.boolean().optional().describe('With another key; without it a renewal keeps the key') });
export const revocationInput = z.strictObject({ reason: z.enum(['unspecified', 'keyCompromise', 'superseded', 'cessationOfOperation']).optional() });
