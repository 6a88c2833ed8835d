import { z } from 'zod';
import { domainStatus } from './domain.js';
import { everyOwner, flag, pageOf, pageQuery } from './paging.js';
import { reference } from './reference.js';

/** The states of L2; libs/domain/site/status.ts says which may follow which. */
export const siteStatus = z.enum([
  'CREATED', 'PROVISIONING', 'ACTIVE', 'DOMAIN_PENDING', 'DOMAIN_VALIDATING', 'DOMAIN_ROUTING', 'DOMAIN_ACTIVE', 'DOMAIN_REMOVING',
  'DESTROYING', 'DESTROYED', 'FAILED',
]);
export type SiteStatus = z.output<typeof siteStatus>;

export const siteKind = z.enum(['static', 'app', 'wordpress']);
export const siteRuntime = z.enum(['files', 'docker', 'coolify']);

/** An app as shown: the values of its environment may be secret and are never shown. */
export const shownApp = z.object({
  image: z.string(),
  port: z.int(),
  envNames: z.array(z.string()),
  envSecrets: z.record(z.string(), z.string()).optional().describe('Variables whose values are secrets of the project: the name of each'),
  healthPath: z.string(),
});

export const shownWordPress = z.object({
  phpVersion: z.string().optional().describe('Without it, the default of its host'),
  adminUser: z.string(),
  adminUrl: z.string().describe('Where its people sign in'),
  database: z.enum(['shared', 'own']),
});

export const limits = z.strictObject({
  memoryBytes: z.int().positive().optional(),
  cpuMillis: z.int().positive().optional().describe('Thousandths of a core'),
  pids: z.int().positive().optional(),
});

export const shownRelease = z.object({
  id: z.string(),
  status: z.enum(['waiting', 'publishing', 'live', 'failed', 'dropped']),
  sha256: z.string(),
  sizeBytes: z.int(),
  format: z.string(),
  fileCount: z.int(),
});

export const site = z.object({
  id: z.string(),
  name: z.string(),
  kind: siteKind,
  status: siteStatus,
  power: z.enum(['running', 'stopped']),
  health: z.object({
    state: z.enum(['healthy', 'stopped', 'missing', 'failing', 'unknown']),
    since: z.string().describe('When it was seen to become so'),
    detail: z.string().optional().describe('What was found instead'),
  }).optional().describe('How its host finds what is meant to run: seen anew every few seconds, and unknown when nobody can see it. Absent while it is not live, or meant to stand still'),
  url: z.string().describe('Where visitors reach it; by HTTPS once they get a certificate for that name'),
  domains: z.array(z.object({ name: z.string(), status: domainStatus, primary: z.boolean() })).describe('Custom domains'),
  runtime: z.string(),
  projectId: z.string(),
  owner: z.string().describe('Who founded its project: its name is unique among theirs'),
  hostId: z.string(),
  lastError: z.string().optional().describe('Why the last operation failed'),
  app: shownApp.optional(),
  wordpress: shownWordPress.optional(),
  isDataKept: z.boolean().optional().describe('Whether it left its data behind when it was destroyed, and that can still be taken over'),
  leftData: z.enum(['kept', 'taken', 'discarding', 'gone']).optional().describe('What became of its data, once it is destroyed. taken: another site goes on with it. discarding: a part may be gone; where no operation is under way, discard it again'),
  limits: limits.optional().describe('What it may use, where that is not the default of its host'),
  release: shownRelease.optional().describe('What is live, or the first upload on its way there'),
  operation: z.object({ id: z.string(), kind: z.string(), status: z.string(), delay: z.string().optional().describe('Why its step is not done yet; it is tried again') }).optional().describe('What is under way'),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type Site = z.output<typeof site>;

export const siteAccepted = site.extend({ operationId: z.string() });
export type SiteAccepted = z.output<typeof siteAccepted>;
export const sitePage = pageOf(site);

/** A process is started with its whole environment at once, and the wish for a site travels in one message. */
const MOST_ENV_BYTES = 262_144;
const MOST_ENV_NAMES = 200;
const envValue = z.union([z.string().max(32_768).refine((value) => !value.includes('\0')), z.strictObject({ secret: z.string().min(1).max(100) })], {
  error: 'A value is a text of at most 32768 characters without a NUL, or names a secret of the project: {"secret": "mail-password"}.',
});
const environment = (name: z.ZodString) => z.record(name, envValue).superRefine((env, context) => {
  const names = Object.keys(env).length;
  const bytes = new TextEncoder().encode(Object.entries(env).flatMap(([key, value]) => [key, typeof value === 'string' ? value : value.secret]).join('')).length;
  if (names > MOST_ENV_NAMES) context.addIssue({ code: 'custom', message: `An environment has at most ${MOST_ENV_NAMES} variables.` });
  if (bytes > MOST_ENV_BYTES) context.addIssue({ code: 'custom', message: `An environment has at most ${MOST_ENV_BYTES} bytes.` });
});
const envName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'The name of a variable has letters, digits and underscores, and no digit first.').max(200);

const named = {
  projectId: reference('project', 'Id or name; without it your project "default", made when it is missing').optional(),
  name: z.string().min(1).max(200).describe('Letters a to z, digits and hyphens, at most 48; it becomes part of the address'),
};

const phpVersion = z.string().regex(/^[0-9]\.[0-9]{1,2}$/, 'A version of PHP is like 8.3.');

const onlyOf = {
  app: ['image', 'port', 'env', 'healthPath'],
  wordpress: ['phpVersion', 'title', 'adminUser', 'adminEmail', 'locale', 'database'],
} as const;

export const newSite = z
  .strictObject({
    ...named,
    kind: siteKind,
    runtime: siteRuntime.optional().describe('files: served by the edge itself (static only). docker: a container. coolify: an application or a service there (app, wordpress)'),
    image: z.string().min(1).max(500).optional().describe('app: the image to run'),
    port: z.int().min(1).max(65535).optional().describe('app: the port it listens on'),
    env: environment(envName).optional().describe('app: its environment. A value is never shown again; {"secret": "<name>"} stands for the value that a secret of the project has whenever the app is started'),
    healthPath: z.string().regex(/^\/[^\s]*$/, 'It begins with a slash and has no spaces.').max(500).optional().describe('app: answers 2xx or 3xx once it is healthy'),
    phpVersion: phpVersion.optional().describe('wordpress: the version of PHP; without it, the default of its host'),
    title: z.string().min(1).max(200).optional().describe('wordpress: its title; without it, its name'),
    adminUser: z.string().min(1).max(60).optional().describe('wordpress: its first user, an administrator; without it, admin'),
    adminEmail: z.email().max(100).optional().describe('wordpress: where it writes to; without it, admin at its address'),
    locale: z.string().regex(/^[a-z]{2,3}(_[A-Z]{2})?(_[a-z0-9]{1,10})?$/, 'A locale is like de_DE.').optional().describe('wordpress: its language, fetched from wordpress.org when it is installed; without it, English'),
    database: z.enum(['shared', 'own']).optional().describe("wordpress: on the host's database server, or on one that the project has for itself. At Coolify each site has one for itself: own"),
    restoreFrom: reference('site', 'Id of a destroyed site of the project whose data was kept: the new one goes on with it').optional(),
    limits: limits.optional().describe('What its container may use; without it, the defaults of its host'),
  })
  .superRefine((input, context) => {
    const say = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    if (input.kind === 'app') {
      if (!input.image) say('image', 'An app needs an image.');
      if (!input.port) say('port', 'An app needs the port that it listens on.');
      if (input.runtime === 'files') say('runtime', 'An app runs in a container: leave runtime out, or say docker or coolify.');
    }
    if (input.kind === 'static' && input.runtime === 'coolify') say('runtime', 'A static site does not run at Coolify: leave runtime out, or say files or docker.');
    if (input.restoreFrom !== undefined) {
      for (const field of onlyOf.wordpress) if (field !== 'phpVersion' && input[field] !== undefined) say(field, 'This comes with the data that is restored.');
    }
    if (input.kind === 'wordpress' && input.runtime === 'files') say('runtime', 'WordPress runs in a container: leave runtime out, or say docker or coolify.');
    for (const [kind, fields] of Object.entries(onlyOf)) {
      if (input.kind !== kind) for (const field of fields) if (input[field] !== undefined) say(field, `Only a site of the kind ${kind} has this.`);
    }
  });
export type NewSite = z.input<typeof newSite>;

export const siteFilter = pageQuery.extend({
  status: siteStatus.optional().describe('Without it, all that are not destroyed'),
  kind: siteKind.optional(),
  projectId: reference('project', 'Id or name of the project').optional(),
  name: z.string().max(200).optional(),
  leftData: flag.optional().describe('true: only destroyed ones whose data was kept, and which no other site took over'),
  all: everyOwner,
});

/** It travels whole, within one message. */
export const MOST_INPUT_BYTES = 524_288;
const travels = (input: string): boolean => [input, JSON.stringify(input)].every((text, n) => new TextEncoder().encode(text).length <= MOST_INPUT_BYTES * (1 + n / 2));

export const wordpressCommand = z.strictObject({
  arguments: z.array(z.string().max(16_384).refine((one) => !one.includes('\0'), 'An argument cannot hold a NUL.')).min(1).max(200).describe('As they follow `wp` on a command line, for example ["plugin", "list"]'),
  input: z.string().refine(travels, `The input of a command has at most ${MOST_INPUT_BYTES} bytes: give it in parts.`).optional().describe('What it reads from its standard input; without it, nothing'),
});

export const commandOutput = z.object({
  exitCode: z.int(),
  stdout: z.string(),
  stderr: z.string(),
  isCut: z.boolean().describe('Whether it said more than is shown'),
});

/** What can be changed of a site. */
export const siteUpdate = z.strictObject({ phpVersion: phpVersion.optional().describe('wordpress: the version of PHP; without it, the same one from the image that the host has now') });

export const siteRef = z.strictObject({ id: reference('site', 'Id or name of the site') });
