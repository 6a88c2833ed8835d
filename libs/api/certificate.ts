import { z } from 'zod';
import { dnsFinding } from './dns.js';
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

export const certificateProof = z.object({
  kind: z.enum(['http-01', 'dns-01', 'none']).describe('http-01: the edge answers the proof. dns-01: a TXT record does, in a zone that the plane keeps. none: the authority asks for no proof'),
  records: z.array(z.object({ type: z.string(), name: z.string(), value: z.string() })).optional().describe('Records that the plane sets, or has set; they go with the end of their order, whatever came of it'),
  looks: z.int().optional().describe('How often they were looked for'),
  found: z.array(dnsFinding).optional().describe('What each resolver answered at the last look'),
  nextLookAt: z.string().optional(),
  deadlineAt: z.string().optional().describe('The order is given up when they are not seen by then, and another one is placed later'),
  removalError: z.string().optional().describe('Why records that are to go could not be removed yet'),
});

export const certificate = certificateSummary.extend({
  domain: z.string(),
  siteId: z.string(),
  names: z.array(z.string()),
  serial: z.string().optional(),
  fingerprint: z.string().optional().describe('Hex sha256'),
  notBefore: z.string().optional(),
  renewAt: z.string().optional().describe('When it is renewed by itself'),
  proof: certificateProof.optional().describe('How the names are proven to the authority'),
  failedStep: z.string().optional().describe('order, proof, issuance, deployment or revocation'),
  nextTryAt: z.string().optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type Certificate = z.output<typeof certificate>;

export const edgeCertificate = certificate.omit({ siteId: true }).extend({
  hosts: z.array(z.object({ hostId: z.string(), status: certificateStatus, lastError: z.string().optional(), nextTryAt: z.string().optional() })).describe('Those whose edges serve it, or are to'),
});
export type EdgeCertificate = z.output<typeof edgeCertificate>;

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
