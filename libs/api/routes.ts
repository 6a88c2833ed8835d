import { allBackups, backup, backupAccepted, backupFilter, backupPage, backupRef, restoreInput, dataRemoval, siteRemoval, volumeList } from './backup.js';
import { certificate, certificateFilter, certificatePage, edgeCertificate, newCertificate, renewalInput, revocationInput } from './certificate.js';
import { domain, domainFilter, domainPage, domainRef, newDomain } from './domain.js';
import { edgeConfig, edgeQuery, traefikQuery } from './edge.js';
import { edgeRules, edgeRulesChange } from './edge-rules.js';
import { eventFilter, eventPage, siteEventFilter } from './event.js';
import { health } from './health.js';
import { changedMember, member, memberFilter, memberPage, memberRef, newMember } from './member.js';
import { cancelInput, operation, operationFilter, operationPage, operationRef } from './operation.js';
import { newProject, project, projectAccepted, projectSwitched, projectFilter, projectPage, projectRef, projectRestore } from './project.js';
import { newQuota } from './quota.js';
import type { Answered, Route } from './route.js';
import { newSecret, newSecretRef, revealedPassword, revealedSecret, rotatedMasterKey, secret, secretFilter, secretPage, secretRef, secretsRef } from './secret.js';
import { commandOutput, newSite, site, siteAccepted, siteFilter, sitePage, siteRef, siteUpdate, wordpressCommand } from './site.js';
import { issuedToken, newToken, session, token, tokenFilter, tokenPage, tokenRef } from './token.js';

const accepted = <T extends NonNullable<Answered['schema']>>(schema: T) => ({
  202: { description: 'Accepted; the operation at Location shows how it goes on.', schema, hasLocation: true },
});
const ok = <T extends NonNullable<Answered['schema']>>(schema: T, description = 'As asked.') => ({ 200: { description, schema } });
const acceptedDomain = { 202: { description: 'Accepted; the domain at Location shows how it goes on.', schema: domain, hasLocation: true } };
const acceptedEdgeCertificate = { 202: { description: 'Accepted; the certificate at Location shows how it goes on.', schema: edgeCertificate, hasLocation: true } };
const acceptedCertificate = { 202: { description: 'Accepted; the certificate at Location shows how it goes on.', schema: certificate, hasLocation: true } };
const switchSite = (action: string, summary: string) =>
  ({ method: 'POST', path: `/sites/{id}/${action}`, summary, tag: 'sites', scope: 'write', right: 'sites:run', params: siteRef, idempotent: true, answers: accepted(siteAccepted) }) as const;

const eachSite = { 202: { description: 'Accepted, site by site: each operation that began, and why the others were left out or refused.', schema: projectSwitched } };
const switchProject = (action: string, summary: string) =>
  ({ method: 'POST', path: `/projects/{id}/${action}`, summary, tag: 'projects', scope: 'write', right: 'sites:run', params: projectRef, idempotent: true, answers: eachSite }) as const;

/** The public HTTP contract, line by line: served by the gateway, spoken by the CLI and the dashboard, published as OpenAPI. */
export const routes = {
  createProject: {
    method: 'POST', path: '/projects', summary: 'Make a project', tag: 'projects', scope: 'write', right: 'projects:create', body: newProject, idempotent: true,
    answers: accepted(projectAccepted),
  },
  listProjects: { method: 'GET', path: '/projects', summary: 'List projects, newest first', tag: 'projects', scope: 'read', right: 'projects:read', query: projectFilter, answers: ok(projectPage) },
  showProject: { method: 'GET', path: '/projects/{id}', summary: 'Show a project', tag: 'projects', scope: 'read', right: 'projects:read', params: projectRef, answers: ok(project) },
  retryProject: {
    method: 'POST', path: '/projects/{id}/retry', summary: 'Provision a failed project again', tag: 'projects', scope: 'write', right: 'projects:run', params: projectRef,
    idempotent: true, answers: accepted(projectAccepted),
  },
  startProject: switchProject('start', 'Start the stopped sites of a project'),
  stopProject: switchProject('stop', 'Stop the sites of a project; visitors are told so'),
  restartProject: switchProject('restart', 'Restart the running sites of a project'),
  repairProject: switchProject('repair', 'Repair every site of a project, and the project itself if it has failed'),
  deleteProject: {
    method: 'DELETE', path: '/projects/{id}', summary: 'Delete a project that has no sites', tag: 'projects', scope: 'write', right: 'projects:delete', params: projectRef,
    idempotent: true, answers: accepted(projectAccepted),
  },

  setQuota: {
    method: 'PUT', path: '/projects/{id}/quota', summary: 'Set what a project may have at most; below what it has, it only stops growing', tag: 'projects', scope: 'write',
    right: 'quota:write', params: projectRef, body: newQuota, idempotent: true, answers: ok(project),
  },
  listMembers: {
    method: 'GET', path: '/projects/{id}/members', summary: 'List members of a project', tag: 'projects', scope: 'read', right: 'projects:read', params: projectRef,
    query: memberFilter, answers: ok(memberPage),
  },
  addMember: {
    method: 'POST', path: '/projects/{id}/members', summary: 'Let somebody into a project', tag: 'projects', scope: 'write', right: 'members:write', params: projectRef,
    body: newMember, idempotent: true, answers: { 201: { description: 'A member now.', schema: member } },
  },
  changeMember: {
    method: 'PUT', path: '/projects/{id}/members/{member}', summary: 'Give a member another role', tag: 'projects', scope: 'write', right: 'members:write', params: memberRef,
    body: changedMember, idempotent: true, answers: ok(member),
  },
  removeMember: {
    method: 'DELETE', path: '/projects/{id}/members/{member}', summary: 'Remove a member; everybody may leave but the last owner', tag: 'projects', scope: 'write',
    right: 'members:write', params: memberRef, idempotent: true, answers: ok(member, 'As it was until now.'),
  },

  listSecrets: {
    method: 'GET', path: '/projects/{id}/secrets', summary: 'List secrets of a project, never their values', tag: 'secrets', scope: 'read', right: 'secrets:list', params: secretsRef,
    query: secretFilter, answers: ok(secretPage),
  },
  storeSecret: {
    method: 'PUT', path: '/projects/{id}/secrets/{name}', summary: 'Store a secret, or a new value of it', tag: 'secrets', scope: 'write', right: 'secrets:write', params: newSecretRef,
    body: newSecret, idempotent: true, answers: ok(secret, 'Stored.'),
  },
  revealSecret: {
    method: 'POST', path: '/projects/{id}/secrets/{name}/reveal', summary: 'Be told the value of a secret; recorded', tag: 'secrets', scope: 'write', right: 'secrets:read',
    params: secretRef, answers: ok(revealedSecret, 'The value.'),
  },
  rotateSecret: {
    method: 'POST', path: '/projects/{id}/secrets/{name}/rotate', summary: 'Give a generated secret a new value', tag: 'secrets', scope: 'write', right: 'secrets:write',
    params: secretRef, idempotent: true, answers: ok(secret, 'It has another value.'),
  },
  revokeSecret: {
    method: 'DELETE', path: '/projects/{id}/secrets/{name}', summary: 'Revoke a secret that no site needs', tag: 'secrets', scope: 'write', right: 'secrets:write', params: secretRef,
    idempotent: true, answers: ok(secret, 'As it was until now.'),
  },

  createSite: {
    method: 'POST', path: '/sites', summary: 'Put a site live', tag: 'sites', scope: 'write', right: 'sites:create', body: newSite, idempotent: true, answers: accepted(siteAccepted),
  },
  listSites: { method: 'GET', path: '/sites', summary: 'List sites, newest first', tag: 'sites', scope: 'read', right: 'sites:read', query: siteFilter, answers: ok(sitePage) },
  showSite: { method: 'GET', path: '/sites/{id}', summary: 'Show a site', tag: 'sites', scope: 'read', right: 'sites:read', params: siteRef, answers: ok(site) },
  deleteSite: {
    method: 'DELETE', path: '/sites/{id}', summary: 'Destroy a site, and its data unless that is to stay; its backups stay', tag: 'sites', scope: 'write', right: 'sites:delete', params: siteRef, query: siteRemoval,
    idempotent: true,
    answers: accepted(siteAccepted),
  },
  discardSiteData: {
    method: 'DELETE', path: '/sites/{id}/data', summary: 'Discard for good the volumes and the database that a destroyed site left', tag: 'storage', scope: 'write', right: 'sites:delete', params: siteRef,
    query: dataRemoval, idempotent: true, answers: accepted(siteAccepted),
  },
  updateSite: {
    method: 'PATCH', path: '/sites/{id}', summary: 'Change how a site runs; its data stays', tag: 'sites', scope: 'write', right: 'sites:deploy', params: siteRef, body: siteUpdate,
    idempotent: true, answers: accepted(siteAccepted),
  },
  startSite: switchSite('start', 'Start a stopped site'),
  stopSite: switchSite('stop', 'Stop a site; visitors are told so'),
  restartSite: switchSite('restart', 'Restart a site'),
  repairSite: switchSite('repair', 'Make anew what is missing of a site, from what is recorded; what is right stays as it is. For a failed one it is retry'),
  retrySite: switchSite('retry', 'Provision a failed site again'),
  revealSitePassword: {
    method: 'POST', path: '/sites/{id}/password/reveal', summary: "Be told the password of a site's first administrator; recorded", tag: 'sites', scope: 'write', right: 'secrets:read',
    params: siteRef, answers: ok(revealedPassword, 'The password.'),
  },
  runWordPress: {
    method: 'POST', path: '/sites/{id}/wp', summary: "Run WordPress' command line (wp-cli) in a site whose image has it", tag: 'sites', scope: 'write', right: 'sites:exec', params: siteRef, body: wordpressCommand,
    answers: ok(commandOutput, 'It has ended; its exit code says how.'),
  },
  publishContent: {
    method: 'PUT', path: '/sites/{id}/content', summary: 'Publish an archive (zip or tar.gz) as the content of a static site', tag: 'sites', scope: 'write', right: 'sites:deploy',
    params: siteRef, upload: true, idempotent: true,
    answers: {
      ...ok(site, 'The release is live.'),
      202: { description: 'Not live yet (after 30 s, or at once with Prefer: respond-async), or failed: see the operation.', schema: operation, hasLocation: true },
    },
  },
  siteEvents: { method: 'GET', path: '/sites/{id}/events', summary: 'Events of a site, oldest first', tag: 'sites', scope: 'read', right: 'sites:read', params: siteRef, query: siteEventFilter, answers: ok(eventPage) },

  listSiteVolumes: { method: 'GET', path: '/sites/{id}/volumes', summary: 'Volumes of a site, and what is in them', tag: 'storage', scope: 'read', right: 'backups:read', params: siteRef, answers: ok(volumeList) },
  listProjectVolumes: { method: 'GET', path: '/projects/{id}/volumes', summary: 'Volumes of a project, and what is in them', tag: 'storage', scope: 'read', right: 'backups:read', params: projectRef, answers: ok(volumeList) },
  createBackup: {
    method: 'POST', path: '/sites/{id}/backups', summary: 'Back a site up, files and data of one moment', tag: 'storage', scope: 'write', right: 'backups:create', params: siteRef, idempotent: true,
    answers: accepted(backupAccepted),
  },
  listSiteBackups: { method: 'GET', path: '/sites/{id}/backups', summary: 'Backups of a site, newest first', tag: 'storage', scope: 'read', right: 'backups:read', params: siteRef, query: backupFilter, answers: ok(backupPage) },
  listBackups: { method: 'GET', path: '/backups', summary: 'Backups, newest first; of sites that are destroyed too', tag: 'storage', scope: 'read', right: 'backups:read', query: allBackups, answers: ok(backupPage) },
  showBackup: { method: 'GET', path: '/backups/{id}', summary: 'Show a backup', tag: 'storage', scope: 'read', right: 'backups:read', params: backupRef, answers: ok(backup) },
  backUpProject: {
    method: 'POST', path: '/projects/{id}/backups', summary: 'Back the sites of a project up, each by itself', tag: 'storage', scope: 'write', right: 'backups:create', params: projectRef, idempotent: true,
    answers: eachSite,
  },
  restoreProject: {
    method: 'POST', path: '/projects/{id}/restore', summary: 'Bring the sites of a project back to their newest backups', tag: 'storage', scope: 'write', right: 'backups:restore', params: projectRef,
    body: projectRestore.optional(), idempotent: true, answers: eachSite,
  },
  restoreBackup: {
    method: 'POST', path: '/backups/{id}/restore', summary: 'Bring a backup back, to its site or as a new one', tag: 'storage', scope: 'write', right: 'backups:restore', params: backupRef,
    body: restoreInput.optional(), idempotent: true, answers: accepted(siteAccepted),
  },
  deleteBackup: {
    method: 'DELETE', path: '/backups/{id}', summary: 'Delete a backup', tag: 'storage', scope: 'write', right: 'backups:restore', params: backupRef, idempotent: true,
    answers: accepted(backupAccepted),
  },

  addDomain: {
    method: 'POST', path: '/sites/{id}/domains', summary: 'Attach a custom domain to a site', tag: 'domains', scope: 'write', right: 'sites:run', params: siteRef, body: newDomain, idempotent: true,
    answers: acceptedDomain,
  },
  listDomains: { method: 'GET', path: '/sites/{id}/domains', summary: 'List the custom domains of a site, newest first', tag: 'domains', scope: 'read', right: 'sites:read', params: siteRef, query: domainFilter, answers: ok(domainPage) },
  showDomain: { method: 'GET', path: '/domains/{name}', summary: 'Show a domain: what it lacks, and what was found', tag: 'domains', scope: 'read', right: 'sites:read', params: domainRef, answers: ok(domain) },
  removeDomain: {
    method: 'DELETE', path: '/domains/{name}', summary: 'Give a domain up, whatever its state', tag: 'domains', scope: 'write', right: 'sites:run', params: domainRef, idempotent: true, answers: acceptedDomain,
  },
  checkDomain: {
    method: 'POST', path: '/domains/{name}/check', summary: "Look at a domain's records now; a failed one is tried anew", tag: 'domains', scope: 'write', right: 'sites:run', params: domainRef, idempotent: true, answers: acceptedDomain,
  },
  choosePrimaryDomain: {
    method: 'POST', path: '/domains/{name}/primary', summary: 'Have the site known by this active domain', tag: 'domains', scope: 'write', right: 'sites:run', params: domainRef, idempotent: true, answers: acceptedDomain,
  },

  listCertificates: { method: 'GET', path: '/certificates', summary: 'List certificates of domains, newest first', tag: 'domains', scope: 'read', right: 'sites:read', query: certificateFilter, answers: ok(certificatePage) },
  showCertificate: { method: 'GET', path: '/domains/{name}/certificate', summary: "Show a domain's certificate: its state, its end, what went wrong", tag: 'domains', scope: 'read', right: 'sites:read', params: domainRef, answers: ok(certificate) },
  uploadCertificate: {
    method: 'PUT', path: '/domains/{name}/certificate', summary: 'Serve a certificate of your own for a domain', tag: 'domains', scope: 'write', right: 'sites:run', params: domainRef, body: newCertificate, idempotent: true,
    answers: acceptedCertificate,
  },
  withdrawCertificate: {
    method: 'DELETE', path: '/domains/{name}/certificate', summary: 'Serve an uploaded certificate no more', tag: 'domains', scope: 'write', right: 'sites:run', params: domainRef, idempotent: true, answers: acceptedCertificate,
  },
  renewCertificate: {
    method: 'POST', path: '/domains/{name}/certificate/renew', summary: 'Get another certificate now; also after a failure, or when one was revoked', tag: 'domains', scope: 'write', right: 'sites:run', params: domainRef,
    body: renewalInput.optional(), idempotent: true, answers: acceptedCertificate,
  },
  revokeCertificate: {
    method: 'POST', path: '/domains/{name}/certificate/revoke', summary: 'Have a certificate revoked by who issued it, and forgotten here', tag: 'domains', scope: 'write', right: 'sites:run', params: domainRef,
    body: revocationInput.optional(), idempotent: true, answers: acceptedCertificate,
  },
  showEdgeRules: { method: 'GET', path: '/sites/{id}/edge', summary: "Show how the edge treats a site's visitors", tag: 'domains', scope: 'read', right: 'sites:read', params: siteRef, answers: ok(edgeRules) },
  changeEdgeRules: {
    method: 'PATCH', path: '/sites/{id}/edge', summary: "Change how the edge treats a site's visitors; what is left out stays, null takes it away", tag: 'domains', scope: 'write', right: 'sites:run', params: siteRef,
    body: edgeRulesChange, idempotent: true, answers: { 202: { description: 'Accepted; Location shows when the edge follows.', schema: edgeRules, hasLocation: true } },
  },

  showEdge: {
    method: 'GET', path: '/edge', summary: "A host's edge configuration as it is or was, rendered from the log; for who runs the plane", tag: 'edge', scope: 'admin', right: 'edge:read', query: edgeQuery, answers: ok(edgeConfig),
  },
  showEdgeCertificate: {
    method: 'GET', path: '/edge/certificate', summary: "Show the plane's own certificate, for the base domain and all names below it, and which hosts serve it; for who runs the plane", tag: 'edge', scope: 'admin', right: 'edge:read', answers: ok(edgeCertificate),
  },
  renewEdgeCertificate: {
    method: 'POST', path: '/edge/certificate/renew', summary: "Get another one for the plane now; also after a failure, or when one was revoked", tag: 'edge', scope: 'admin', right: 'edge:write', body: renewalInput.optional(), idempotent: true,
    answers: acceptedEdgeCertificate,
  },
  revokeEdgeCertificate: {
    method: 'POST', path: '/edge/certificate/revoke', summary: "Have the plane's own certificate revoked by who issued it, and served no more", tag: 'edge', scope: 'admin', right: 'edge:write', body: revocationInput.optional(), idempotent: true,
    answers: acceptedEdgeCertificate,
  },
  traefikConfig: {
    method: 'GET', path: '/traefik/config', summary: "The routes of a host for Traefik's HTTP provider; for who runs the plane", tag: 'edge', scope: 'admin', right: 'edge:read', query: traefikQuery,
    answers: { 200: { description: "Traefik's dynamic configuration (version 3), with an ETag.", mediaType: 'application/json' }, 304: { description: 'It is the one that If-None-Match names.' } },
  },

  listOperations: { method: 'GET', path: '/operations', summary: 'List operations, newest first', tag: 'operations', scope: 'read', right: 'sites:read', query: operationFilter, answers: ok(operationPage) },
  showOperation: { method: 'GET', path: '/operations/{id}', summary: 'Show an operation, step by step', tag: 'operations', scope: 'read', right: 'sites:read', params: operationRef, answers: ok(operation) },
  cancelOperation: {
    method: 'POST', path: '/operations/{id}/cancel', summary: 'Give an operation up and take back what it did', tag: 'operations', scope: 'write', right: 'sites:run',
    params: operationRef, body: cancelInput.optional(), idempotent: true, answers: accepted(operation),
  },

  streamEvents: {
    method: 'GET', path: '/events', summary: 'Events as they happen (SSE; resumes after Last-Event-ID), or a page of them as JSON', tag: 'events', scope: 'read', right: 'sites:read', query: eventFilter,
    answers: { 200: { description: 'Server-sent events: id is the position, event the type, data a JSON event. As a page with format=json.', schema: eventPage, mediaType: 'text/event-stream' } },
  },

  issueToken: {
    method: 'POST', path: '/tokens', summary: 'Issue a token; it is shown once', tag: 'tokens', scope: 'write', right: 'tokens:write', body: newToken, idempotent: true,
    answers: { 201: { description: 'Issued.', schema: issuedToken } },
  },
  listTokens: { method: 'GET', path: '/tokens', summary: 'List tokens, newest first', tag: 'tokens', scope: 'read', right: 'tokens:read', query: tokenFilter, answers: ok(tokenPage) },
  revokeToken: { method: 'DELETE', path: '/tokens/{id}', summary: 'Revoke a token', tag: 'tokens', scope: 'write', right: 'tokens:write', params: tokenRef, answers: ok(token, 'Revoked.') },
  showSession: { method: 'GET', path: '/session', summary: 'Who am I?', tag: 'tokens', scope: 'read', right: 'none', answers: ok(session) },

  rotateMasterKey: {
    method: 'POST', path: '/vault/rotate-master-key', summary: "Wrap every project's keys with a new master key; for who runs the plane", tag: 'vault', scope: 'admin', right: 'none',
    answers: ok(rotatedMasterKey, 'All are wrapped with it.'),
  },

  showHealth: { method: 'GET', path: '/health', summary: 'How it is, part by part', tag: 'health', scope: 'none', right: 'none', answers: { ...ok(health), 503: { description: 'Something is missing.', schema: health } } },
  showLiveness: { method: 'GET', path: '/health/live', summary: 'Whether the process lives', tag: 'health', scope: 'none', right: 'none', answers: ok(health) },
  showReadiness: {
    method: 'GET', path: '/health/ready', summary: 'Whether requests can be worked on', tag: 'health', scope: 'none', right: 'none',
    answers: { ...ok(health), 503: { description: 'Something is missing.', schema: health } },
  },
  showMetrics: {
    method: 'GET', path: '/metrics', summary: 'Metrics for Prometheus; from this machine, or with an admin token', tag: 'health', scope: 'none', right: 'none',
    answers: { 200: { description: 'Metrics.', mediaType: 'text/plain' } },
  },
} as const satisfies Record<string, Route>;

export type Routes = typeof routes;
export type RouteName = keyof Routes;
