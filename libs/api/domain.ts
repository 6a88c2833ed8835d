import { z } from 'zod';
import { certificateSummary } from './certificate.js';
import { dnsFinding } from './dns.js';
import { pageOf, pageQuery } from './paging.js';
import { reference } from './reference.js';

export const domainStatus = z.enum(['pending', 'validating', 'routing', 'active', 'failed', 'removing', 'removed']);

export const dnsRecord = z.object({
  purpose: z.enum(['ownership', 'pointing']).describe('ownership: proves that the name is yours. pointing: leads visitors here; one of these is enough'),
  type: z.string(),
  name: z.string(),
  value: z.string(),
  proxied: z.boolean().optional().describe("Visitors come through the proxy of whoever keeps the zone"),
});

export const domain = z.object({
  name: z.string(),
  siteId: z.string(),
  status: domainStatus,
  primary: z.boolean().describe('The site is known by this name'),
  redirectTo: z.string().optional().describe('Visitors are sent on to this hostname of the site'),
  redirectStatus: z.int().optional(),
  redirectTargetServed: z.boolean().optional().describe('While that hostname is not served, this one serves the site itself, so that no visitor is lost'),
  owned: z.boolean().describe('The record that proves ownership was found at the last look'),
  pointsHere: z.boolean().describe('The name led here at the last look'),
  expected: z.array(dnsRecord).describe('The records to set'),
  found: z.array(dnsFinding).describe('What each resolver answered at the last look'),
  checks: z.int().describe('How often it was looked at'),
  lastCheckAt: z.string().optional(),
  nextCheckAt: z.string().optional(),
  deadlineAt: z.string().optional().describe('It fails when it is not proven by then'),
  lastError: z.string().optional().describe('What is missing, why it failed, or why it is not routed yet and is tried again'),
  failedStep: z.enum(['records', 'validation', 'routing', 'tunnel']).optional().describe('What lastError is about, unless it is what is still missing in the DNS'),
  managed: z.object({ records: z.array(dnsRecord), phase: z.enum(['setting', 'set', 'removing', 'none']).describe('none: they are gone') }).optional().describe('Records that the plane sets itself, and removes with the domain'),
  tunnel: z.string().optional().describe('The tunnel that leads visitors to the edge'),
  certificate: certificateSummary.optional().describe('Without one, HTTPS is served with a certificate that the edge has signed itself'),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type Domain = z.output<typeof domain>;

export const domainPage = pageOf(domain);
export const domainFilter = pageQuery;

export const newDomain = z
  .strictObject({
    name: z.string().min(1).max(1_000).describe('For example shop.example.com; other alphabets are taken as they are written'),
    redirectTo: z.string().min(1).max(1_000).optional().describe('Send visitors on to this other hostname of the site, instead of serving the site here too'),
    redirectStatus: z.union([z.literal(301), z.literal(308)], { error: '301 or 308 is needed.' }).optional().describe('301 unless told; 308 keeps method and body'),
  })
  .refine(({ redirectTo, redirectStatus }) => redirectStatus === undefined || redirectTo !== undefined, { path: ['redirectStatus'], error: 'There is no redirect without redirectTo.' });

export const domainRef = z.strictObject({ name: reference('domain', 'The domain, in any alphabet', 1_000) });
