import type { DatabaseSpec } from '#contracts/gen/hostplane/v1/database.js';
import type { SecretWish } from '#contracts/gen/hostplane/v1/secret.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { adminPasswordKey, databasePasswordKey, hostKeyring, hostRootPasswordKey, projectRootPasswordKey } from '../naming/naming.js';
import { bringsDatabase } from '../site/request.js';
import type { SiteInput } from './site-steps.js';
import type { Action, Step } from './workflow.js';

/** A secret's place in the vault: whose keyring, and its name there. */
export interface SecretPlace {
  readonly projectId: string;
  readonly name: string;
}

const PASSWORD = { length: 32, alphabet: 'letters-digits' } as const;

/** Whose volumes and database a site has. */
export const dataOf = ({ siteId, dataId }: Pick<WorkloadSpec, 'siteId' | 'dataId'>): string => dataId || siteId;

/** Where the root password of the server is that a site's database is on. */
export function rootPasswordOf({ server, projectId }: Pick<DatabaseSpec, 'server' | 'projectId'>, hostId: string): SecretPlace {
  return server === 'own' ? { projectId, name: projectRootPasswordKey(projectId) } : { projectId: hostKeyring(hostId), name: hostRootPasswordKey(hostId) };
}

const wish = (name: string): SecretWish => ({ name, ...PASSWORD });

/** The database that a workload has. */
export function databaseOf(spec: WorkloadSpec): DatabaseSpec {
  const { siteId, projectId, dataId, runtime, wordpress } = spec;
  return { siteId, projectId, dataId, runtime, server: wordpress?.database ?? '', passwordSecret: databasePasswordKey(dataOf(spec)) };
}

const secretsReady = { done: 'SecretsReady', failed: 'SecretsFailed' } as const;

/** Of the database server's own; it is the host's, or the project's. */
const serverSecret: Action<SiteInput> = {
  ask(input) {
    const { projectId, name } = rootPasswordOf(databaseOf(input.spec), input.hostId);
    return { type: 'EnsureSecrets', data: { projectId, siteId: '', wishes: [wish(name)] } };
  },
  ...secretsReady,
};

const secrets: Action<SiteInput> = {
  ask: ({ spec }) => ({
    type: 'EnsureSecrets',
    data: { projectId: spec.projectId, siteId: spec.siteId, wishes: [databasePasswordKey, adminPasswordKey].map((key) => wish(key(dataOf(spec)))) },
  }),
  ...secretsReady,
};

const ensureDatabase: Action<SiteInput> = {
  ask: (input) => ({ type: 'EnsureDatabase', data: { hostId: input.hostId, siteId: input.spec.siteId, spec: databaseOf(input.spec) } }),
  done: 'DatabaseReady',
  failed: 'DatabaseFailed',
};

const removeDatabase: Action<SiteInput> = {
  ask: (input) => ({ type: 'RemoveDatabase', data: { hostId: input.hostId, siteId: input.spec.siteId, spec: databaseOf(input.spec), keepData: input.keepData } }),
  done: 'DatabaseRemoved',
  failed: 'DatabaseFailed',
};

const install = (isRestored: boolean): Action<SiteInput> => ({
  ask: ({ hostId, spec }) => ({ type: 'InstallWorkload', data: { hostId, siteId: spec.siteId, spec, isRestored } }),
  done: 'WorkloadInstalled',
  failed: 'WorkloadFailed',
});

/** Data that was live before may have any title by now; then the page's being there is enough. */
const confirmPage: Action<SiteInput> = {
  ask: ({ hostId, hostnames, spec, keepData }) => ({
    type: 'ConfirmPage',
    data: { hostId, siteId: spec.siteId, hostname: hostnames[0] ?? '', expected: keepData || spec.dataId ? '' : (spec.wordpress?.title ?? '') },
  }),
  done: 'PageConfirmed',
  failed: 'EdgeFailed',
};

/** Where a database comes with the workload, there is no server to be asked for one. */
const onServer = { appliesTo: ({ spec }: SiteInput) => !bringsDatabase(spec.runtime) };

/**
 * The steps that are WordPress' own. Secrets are never taken back: a retry uses them again. Nor is the installation, since database and volume go with the
 * steps before it, unless they hold what was live.
 */
export const wordpressSteps = {
  serverSecret: { name: 'server secret', ...serverSecret, ...onServer },
  secrets: { name: 'secrets', ...secrets },
  database: { name: 'database', ...ensureDatabase, undo: removeDatabase, ...onServer },
  removeDatabase: { name: 'database', ...removeDatabase, ...onServer },
  install: { name: 'install', ...install(false) },
  /** What came from a backup is made the site's own: its address, and the password of its first administrator. */
  adopt: { name: 'install', ...install(true) },
  page: { name: 'page', ...confirmPage },
} satisfies Record<string, Step<SiteInput>>;
