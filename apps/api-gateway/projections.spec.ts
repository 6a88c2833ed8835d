import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { siteStatus } from '#api/site.js';
import { projectStatus } from '#api/project.js';
import type { StoredMessage } from '#contracts/message.js';
import type { MessageOf, MessageType } from '#contracts/registry.js';
import { siteStatuses } from '#domain/site/status.js';
import { projectDecider, useOf, type Project, type ProjectCommand } from '#domain/project/project.js';
import { projectStatuses } from '#domain/project/status.js';
import { certificatesTable } from './certificates.projection.js';
import { domainsTable } from './domains.projection.js';
import { edgeRulesTable } from './edge-rules.projection.js';
import { foldBatch, type KeyedRow, type KeyedTable } from './keyed-table.js';
import { operationsTable } from './operations.projection.js';
import { projectsTable } from './projects.projection.js';
import { sitesTable } from './sites.projection.js';
import { withoutSecrets } from './shown-event.js';
import { timelineRow } from './timeline.projection.js';
import { tokensTable } from './tokens.projection.js';

const ids = { siteId: 's', operationId: 'o' };
const content = { sha256: 'c'.repeat(64), sizeBytes: 10, format: 'zip', fileCount: 2 };
const release = { ...ids, operationId: 'r-op', releaseId: 'r', content };
/** One that is older than the vault has plain values too. */
const app = { image: 'shop:1', port: 80, env: { SECRET: 'planted-value' }, healthPath: '/', sealedEnv: [{ name: 'MODE', box: 'sealed' }], secretEnv: [] };
const asked: MessageOf<'SiteRequested'> = {
  type: 'SiteRequested',
  data: { ...ids, projectId: 'p', ownerId: 'ann', name: 'blog', kind: 'static', runtime: 'files', hostId: 'local', hostname: 'blog', address: '', subnet: '', app: undefined, wordpress: undefined, limits: undefined, dataId: '', backupId: '', releaseId: '', content: undefined },
};

let position = 0;
function stored(stream: string, event: MessageOf<MessageType>): StoredMessage {
  position++;
  const meta = { correlationId: 'c', causationId: 'c', actor: 'token:t', owner: 'ann' };
  return { ...event, id: String(position), kind: 'event', meta, streamId: stream, version: position, schemaVersion: 1, position, recordedAt: `2026-01-01T00:00:${String(position % 60).padStart(2, '0')}.000Z`, hash: '' };
}
function fold<R extends KeyedRow>(table: KeyedTable<R>, stream: string, ...events: MessageOf<MessageType>[]): R | undefined {
  return [...foldBatch(table, new Map(), events.map((event) => stored(stream, event))).values()].at(-1);
}
const site = (...events: MessageOf<MessageType>[]) => fold(sitesTable, 'site/s', asked, ...events);
const activated: MessageOf<'SiteActivated'> = { type: 'SiteActivated', data: { ...ids, target: undefined } };

describe('the contract', () => {
  it('knows the states that the domain knows', () => {
    expect(siteStatus.options).toEqual([...siteStatuses]);
    expect([...projectStatus.options].sort()).toEqual([...projectStatuses].sort());
  });
});

describe('a project is shown', () => {
  it('with what its sites have, from admission to release', () => {
    const place = { projectId: 'p', siteId: 's' };
    const asked: MessageOf<'ProjectRequested'> = { type: 'ProjectRequested', data: { projectId: 'p', operationId: 'o', ownerId: 'ann', name: 'x', hostId: 'local', subnet: '' } };
    const admitted: MessageOf<'SiteAdmitted'> = { type: 'SiteAdmitted', data: { ...place, runtime: 'files', address: '', memoryBytes: 7, cpuMillis: 5 } };
    const measured: MessageOf<'SiteMeasured'> = { type: 'SiteMeasured', data: { ...place, diskBytes: 9, grownBy: 9 } };
    const released: MessageOf<'SiteReleased'> = { type: 'SiteReleased', data: { ...place, memoryBytes: 7, cpuMillis: 5, diskBytes: 9 } };
    expect(fold(projectsTable, 'project/p', asked, admitted, measured)).toMatchObject({ used_sites: 1, used_memory: 7, used_cpu: 5, used_disk: 9 });
    expect(fold(projectsTable, 'project/p', asked, admitted, measured, released)).toMatchObject({ used_sites: 0, used_memory: 0, used_cpu: 0, used_disk: 0 });
  });
});

describe('what a project uses', () => {
  it('is shown as the project itself counts it, whatever happens', () => {
    const id = fc.constantFrom('a', 'b', 'c');
    const usual = { sites: null, memoryBytes: null, cpuMillis: null, diskBytes: null };
    const amount = fc.integer({ min: 0, max: 9 });
    const command: fc.Arbitrary<ProjectCommand> = fc.oneof(
      fc.record({ type: fc.constant('AdmitSite' as const), siteId: id, runtime: fc.constant('docker'), needsAddress: fc.constant(false), usual: fc.constant(usual), needs: fc.record({ sites: fc.constant(1), memoryBytes: amount, cpuMillis: amount, diskBytes: amount }), data: fc.option(fc.record({ takenOver: fc.constantFrom('', 'a', 'x'), bytes: amount }), { nil: undefined }), server: fc.option(fc.constant({ memoryBytes: 100, cpuMillis: 50 }), { nil: undefined }) }),
      fc.record({ type: fc.constant('MeasureSite' as const), siteId: id, diskBytes: amount, usual: fc.constant(usual) }),
      fc.record({ type: fc.constant('MeasureProject' as const), data: fc.uniqueArray(fc.record({ dataId: fc.constantFrom('a', 'b', 'n', 'x'), bytes: amount }), { selector: ({ dataId }) => dataId }), revision: fc.integer({ min: 1, max: 30 }) }),
      fc.record({ type: fc.constant('ReleaseSite' as const), siteId: id, dataId: fc.constantFrom('a', 'b', 'c', 'x'), isDataKept: fc.boolean() }),
      fc.record({ type: fc.constant('ReplaceData' as const), siteId: id, dataId: fc.constantFrom('a', 'b', 'x'), newDataId: fc.constantFrom('m', 'n', 'x'), bytes: amount, usual: fc.constant(usual) }),
      fc.record({ type: fc.constant('SettleData' as const), siteId: id, isThere: fc.boolean() }),
      fc.record({ type: fc.constant('DiscardData' as const), siteId: id, dataId: fc.constantFrom('a', 'b', 'c', 'x') }),
    );
    fc.assert(fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
      const asked: MessageOf<'ProjectRequested'> = { type: 'ProjectRequested', data: { projectId: 'p', operationId: 'o', ownerId: 'ann', name: 'x', hostId: 'local', subnet: '10.77.0.0/24' } };
      let state = projectDecider.evolve(projectDecider.initial, asked);
      const events: MessageOf<MessageType>[] = [asked];
      for (const one of commands) {
        const decided = projectDecider.decide(one, state);
        state = decided.reduce(projectDecider.evolve, state);
        events.push(...decided);
      }
      const { sites, memoryBytes, cpuMillis, diskBytes, writtenBytes } = useOf(state as Project);
      const row = fold(projectsTable, 'project/p', ...events)!;
      expect([row.used_sites, row.used_memory, row.used_cpu, row.used_disk + row.used_written, row.used_written]).toEqual([sites, memoryBytes, cpuMillis, diskBytes, writtenBytes]);
    }));
  });
});

describe('a site is shown', () => {
  it('from the wish for it to its end', () => {
    expect(site()).toMatchObject({ status: 'CREATED', operation_id: 'o', operation_kind: 'launch-site', owner: 'ann' });
    expect(site({ type: 'SiteProvisioningStarted', data: ids })).toMatchObject({ status: 'PROVISIONING' });
    expect(site(activated)).toMatchObject({ status: 'ACTIVE', operation_id: null });
    expect(site(activated, { type: 'SiteDestroyRequested', data: { ...ids, keepData: false } })).toMatchObject({ status: 'DESTROYING', operation_kind: 'remove-site' });
    expect(site(activated, { type: 'SiteDestroyed', data: ids })).toMatchObject({ status: 'DESTROYED', operation_id: null });
  });
  it('with what became of its data, once it is destroyed', () => {
    const destroyed = (keepData: boolean): MessageOf<MessageType>[] => [{ type: 'SiteDestroyRequested', data: { ...ids, keepData } }, { type: 'SiteDestroyed', data: ids }];
    const discarding: MessageOf<'SiteDataDiscardRequested'> = { type: 'SiteDataDiscardRequested', data: { ...ids, operationId: 'd' } };
    expect([site(activated, ...destroyed(false)), site(activated, ...destroyed(true)), site(...destroyed(true))]).toMatchObject([{ data: 'gone' }, { data: 'kept' }, { data: 'gone' }]);
    expect(site(activated, ...destroyed(true), { type: 'SiteDataTakenOver', data: { siteId: 's', heirId: 'h' } })).toMatchObject({ data: 'taken' });
    expect(site(activated, ...destroyed(true), discarding)).toMatchObject({ status: 'DESTROYED', data: 'discarding', operation_id: 'd', operation_kind: 'discard-data' });
    const failed: MessageOf<'SiteDataDiscardFailed'> = { type: 'SiteDataDiscardFailed', data: { ...ids, step: 'workload', error: 'it broke' } };
    expect(site(activated, ...destroyed(true), discarding, failed)).toMatchObject({ data: 'discarding', operation_id: null, last_error: 'workload: it broke' });
    expect(site(activated, ...destroyed(true), discarding, failed, discarding, { type: 'SiteDataDiscarded', data: ids })).toMatchObject({ data: 'gone', operation_id: null, last_error: null });
  });
  it('as healthy since it was started, not since before it stood still', () => {
    const switched = (action: string, power: string): MessageOf<'SiteSwitched'> => ({ type: 'SiteSwitched', data: { ...ids, action, power, target: undefined } });
    const health = (...events: MessageOf<MessageType>[]) => {
      const row = site(activated, ...events)!;
      return [JSON.parse(row.health!) as object, row.updated_at] as const;
    };
    for (const events of [[switched('stop', 'stopped'), switched('start', 'running')], [switched('restart', 'running')]]) {
      const [shown, last] = health(...events);
      expect(shown).toEqual({ state: 'healthy', since: last });
    }
    const failing: MessageOf<'WorkloadObserved'> = { type: 'WorkloadObserved', data: { siteId: 's', hostId: 'local', state: 'failing', detail: 'It runs.' } };
    const [[before, seen], [after]] = [health(failing), health(failing, switched('restart', 'running'))];
    expect([before, after]).toEqual([{ state: 'failing', since: seen, detail: 'It runs.' }, { state: 'failing', since: expect.any(String), detail: 'It runs.' }]);
    const [mended, last] = health(switched('repair', 'running'));
    expect(mended).not.toMatchObject({ since: last });
  });
  it('with its last error, until something succeeds', () => {
    const failed: MessageOf<'SiteFailed'> = { type: 'SiteFailed', data: { ...ids, step: 'workload', error: 'it broke', undone: [] } };
    expect(site(failed)).toMatchObject({ status: 'FAILED', last_error: 'workload: it broke', operation_id: null });
    expect(site(failed, { type: 'SiteRetryRequested', data: ids }, { type: 'SiteProvisioningStarted', data: ids }, activated)).toMatchObject({ status: 'ACTIVE', last_error: null });
  });
  it('with the release that is live, whatever waits', () => {
    const requested: MessageOf<'SiteReleaseRequested'> = { type: 'SiteReleaseRequested', data: release };
    const started: MessageOf<'SiteReleaseStarted'> = { type: 'SiteReleaseStarted', data: release };
    const published: MessageOf<'SiteReleasePublished'> = { type: 'SiteReleasePublished', data: { ...ids, releaseId: 'r', target: undefined } };
    expect(JSON.parse(site(requested)!.next_release!)).toMatchObject({ id: 'r', status: 'waiting', fileCount: 2 });
    expect(JSON.parse(site(activated, requested, started, published)!.release!)).toMatchObject({ id: 'r', status: 'live' });
    expect(site(activated, started, published)!.next_release).toBeNull();
    const dropped: MessageOf<'SiteReleaseDropped'> = { type: 'SiteReleaseDropped', data: { ...ids, releaseId: 'r', reason: 'newer' } };
    expect(site(activated, requested, dropped)!.next_release).toBeNull();
    const failed: MessageOf<'SiteReleaseFailed'> = { type: 'SiteReleaseFailed', data: { ...ids, releaseId: 'r', step: 'route', error: 'it broke' } };
    expect(site(activated, started, published, started, failed)).toMatchObject({ last_error: 'route: it broke', next_release: null, release: expect.stringContaining('"live"') });
  });
  it('without the values of its environment', () => {
    const row = fold(sitesTable, 'site/s', { ...asked, data: { ...asked.data, kind: 'app', app } });
    expect(row!.app).toBe('{"image":"shop:1","port":80,"envNames":["MODE","SECRET"],"healthPath":"/"}');
  });
});

describe('what is tried again says why, until it is done', () => {
  const delayed = (error: string, operationId = 'o'): MessageOf<'WorkDelayed'> => ({ type: 'WorkDelayed', data: { operationId, siteId: 's', projectId: '', hostId: 'local', revision: 1, turn: 1, tries: 1, error, step: 'tunnel' } });
  /** Folds events of several streams. */
  const across = <R extends KeyedRow>(table: KeyedTable<R>, ...said: [stream: string, event: MessageOf<MessageType>][]) => [...foldBatch(table, new Map(), said.map(([stream, event]) => stored(stream, event))).values()].at(-1);
  const claim = { name: 'a.example.com', siteId: 's', claimId: 'c' };

  it('an operation, of the step under way', () => {
    const started: MessageOf<'OperationStarted'> = { type: 'OperationStarted', data: { operationId: 'o', kind: 'launch-site', siteId: 's', projectId: 'p', steps: ['route'], input: '{}', backupId: '' } };
    const begun: [string, MessageOf<MessageType>][] = [['operation/o', started], ['operation/o', { type: 'OperationStepStarted', data: { operationId: 'o', step: 'route' } }], ['edge/s', delayed('no tunnel')]];
    expect(across(operationsTable, ...begun)).toMatchObject({ status: 'running', delay: 'no tunnel', error: null });
    expect(across(operationsTable, ...begun, ['edge/s', delayed('no edge')])).toMatchObject({ delay: 'no edge' });
    expect(across(operationsTable, ...begun, ['edge/s', delayed('of another', 'x')])).toMatchObject({ delay: 'no tunnel' });
    expect(across(operationsTable, ...begun, ['operation/o', { type: 'OperationStepSucceeded', data: { operationId: 'o', step: 'route', output: '' } }])).toMatchObject({ delay: null });
  });
  it('a domain that the edge is to serve, or to let go of', () => {
    const requested: MessageOf<'DomainRequested'> = { type: 'DomainRequested', data: { ...claim, status: 'pending', projectId: 'p', ownerId: 'ann', challenge: 'x', redirectTo: '', redirectStatus: 0, expected: [], nextCheckAt: '', deadlineAt: '', managed: [] } };
    const routing: MessageOf<'DomainRoutingStarted'> = { type: 'DomainRoutingStarted', data: { ...claim, status: 'routing', operationId: 'c', turn: 1, nextCheckAt: '' } };
    const waiting: [string, MessageOf<MessageType>][] = [['domain/a.example.com', requested], ['domain/a.example.com', routing], ['edge/s', delayed('no tunnel', 'c')]];
    expect(across(domainsTable, ...waiting)).toMatchObject({ status: 'routing', last_error: 'no tunnel', failed_step: 'tunnel' });
    const active: [string, MessageOf<MessageType>][] = [...waiting, ['domain/a.example.com', { type: 'DomainActivated', data: { ...claim, status: 'active', tunnel: '' } }]];
    expect(across(domainsTable, ...active)).toMatchObject({ status: 'active', last_error: null, failed_step: null });
    expect(across(domainsTable, ...active, ['edge/s', delayed('late', 'c')])).toMatchObject({ last_error: null });
  });
  it('rules that the edge is to follow, and a certificate that it is to serve', () => {
    const defined: MessageOf<'RouteDefined'> = { type: 'RouteDefined', data: { operationId: 'o', siteId: 's', hostId: 'local', hostnames: [], target: undefined, state: 'up', redirects: [], domains: [] } };
    const changing: [string, MessageOf<MessageType>][] = [['route/s', defined], ['route/s', { type: 'EdgeRulesChanged', data: { siteId: 's', changeId: 'r', rules: undefined } }], ['edge/s', delayed('no tunnel', 'r')]];
    expect(across(edgeRulesTable, ...changing)).toMatchObject({ status: 'changing', last_error: 'no tunnel' });
    expect(across(edgeRulesTable, ...changing, ['route/s', { type: 'EdgeRulesServed', data: { siteId: 's', changeId: 'r' } }])).toMatchObject({ status: 'served', last_error: null });
    expect(across(edgeRulesTable, ['route/s', defined], ['workload/s', delayed('no engine')], ['edge/s', delayed('no tunnel')])).toMatchObject({ status: 'served', last_error: null });
    const requested = { type: 'CertificateRequested', data: { domain: claim.name, siteId: 's', projectId: 'p', hostId: 'local', status: 'issued', authority: 'acme', names: [] } } as unknown as MessageOf<'CertificateRequested'>;
    expect(across(certificatesTable, ['certificate/k', requested], ['edge/k', delayed('no edge', '')])).toMatchObject({ status: 'issued', last_error: 'no edge' });
  });
});

describe('an operation is shown', () => {
  const started: MessageOf<'OperationStarted'> = { type: 'OperationStarted', data: { operationId: 'o', kind: 'launch-site', siteId: 's', projectId: 'p', steps: ['workload', 'route'], input: '{}', backupId: '' } };
  const operation = (...events: MessageOf<MessageType>[]) => fold(operationsTable, 'operation/o', ...events);
  const step = (name: string) => ({ operationId: 'o', step: name });

  it('from the wish for it', () => expect(operation(asked)).toMatchObject({ id: 'o', status: 'waiting', kind: 'launch-site', site_id: 's', steps: '[]' }));
  it('step by step', () => {
    const row = operation(asked, started, { type: 'OperationStepStarted', data: step('workload') }, { type: 'OperationStepSucceeded', data: { ...step('workload'), output: '' } }, { type: 'OperationStepStarted', data: step('route') });
    expect(row).toMatchObject({ status: 'running', created_position: expect.any(Number) });
    expect(JSON.parse(row!.steps)).toMatchObject([{ name: 'workload', status: 'succeeded' }, { name: 'route', status: 'running' }]);
  });
  it('with what was taken back', () => {
    const row = operation(
      started, { type: 'OperationStepFailed', data: { ...step('route'), error: 'no' } }, { type: 'OperationUndoStarted', data: step('workload') }, { type: 'OperationUndoSucceeded', data: step('workload') },
      { type: 'OperationFailed', data: { ...step('route'), error: 'no', undone: ['workload'] } },
    );
    expect(row).toMatchObject({ status: 'failed', error: 'no', failed_step: 'route', undone: '["workload"]' });
    expect(JSON.parse(row!.steps)).toMatchObject([{ name: 'workload', status: 'undone' }, { name: 'route', status: 'failed', error: 'no' }]);
  });
  it('as dropped when a newer release took its place', () => {
    expect(operation({ type: 'SiteReleaseRequested', data: { ...release, operationId: 'o' } }, { type: 'SiteReleaseDropped', data: { ...ids, releaseId: 'r', reason: 'a newer one came' } })).toMatchObject({ status: 'dropped', error: 'a newer one came' });
  });
});

describe('a custom domain is shown', () => {
  const domainIds = { name: 'shop.example.com', siteId: 's', claimId: 'c' };
  const wish: MessageOf<'DomainRequested'> = {
    type: 'DomainRequested',
    data: { ...domainIds, status: 'pending', projectId: 'p', ownerId: 'ann', challenge: 't', redirectTo: '', redirectStatus: 0, expected: [], nextCheckAt: 'soon', deadlineAt: 'late', managed: [] },
  };
  const found = [{ resolver: '192.0.2.53', type: 'TXT', name: 'x', values: ['t'], error: '' }];
  const looked: MessageOf<'DomainChecked'> = { type: 'DomainChecked', data: { ...domainIds, status: 'validating', check: 3, isOwned: true, pointsHere: false, expected: [], found, missing: 'It leads nowhere.', nextCheckAt: 'later' } };
  const domain = (...events: MessageOf<MessageType>[]) => fold(domainsTable, 'domain/shop.example.com', wish, ...events);

  it('with what was found and when it is looked at again', () => {
    expect(domain()).toMatchObject({ claim_id: 'c', project_id: 'p', status: 'pending', next_check_at: 'soon', deadline_at: 'late' });
    expect(domain(looked)).toMatchObject({ status: 'validating', owned: 1, points_here: 0, checks: 3, next_check_at: 'later', last_error: 'It leads nowhere.', found: JSON.stringify(found) });
  });
  it('from active to its end', () => {
    const done: MessageOf<'DomainActivated'> = { type: 'DomainActivated', data: { ...domainIds, status: 'active', tunnel: '' } };
    expect(domain(looked, done)).toMatchObject({ status: 'active', last_error: null, deadline_at: null });
    const failed: MessageOf<'DomainFailed'> = { type: 'DomainFailed', data: { ...domainIds, status: 'failed', step: 'routing', error: 'no edge' } };
    expect(domain(looked, failed)).toMatchObject({ status: 'failed', last_error: 'no edge' });
    expect(domain(done, { type: 'DomainRemoved', data: { ...domainIds, status: 'removed' } })).toMatchObject({ status: 'removed' });
  });
  it('with its site, whose status and address follow', () => {
    const noted = (status: string): MessageOf<'SiteDomainNoted'> => ({ type: 'SiteDomainNoted', data: { siteId: 's', name: 'shop.example.com', status, version: 1 } });
    const moved: MessageOf<'SiteDomainStatusChanged'> = { type: 'SiteDomainStatusChanged', data: { siteId: 's', status: 'DOMAIN_PENDING' } };
    expect(site(activated, noted('pending'), moved)).toMatchObject({ status: 'DOMAIN_PENDING', domains: '{"shop.example.com":"pending"}', primary_domain: null });
    expect(site(activated, noted('pending'), noted('removed'))).toMatchObject({ domains: '{}' });
    const chosen = stored('route/s', { type: 'PrimaryDomainChosen', data: { siteId: 's', name: 'shop.example.com' } });
    expect([...foldBatch(sitesTable, new Map(), [stored('site/s', asked), chosen]).values()].at(-1)).toMatchObject({ primary_domain: 'shop.example.com' });
  });
});

describe('the timeline', () => {
  it('gives an operation its site', () => {
    const row = timelineRow(stored('operation/o', { type: 'OperationSucceeded', data: { operationId: 'o' } }), { siteId: 's', projectId: 'p', operationId: 'o' });
    expect(row).toMatchObject({ site_id: 's', operation_id: 'o', audience: 'p' });
  });
  it('shows no value of an environment, at whatever depth', () => {
    fc.assert(fc.property(fc.string({ minLength: 12 }).filter((text) => !text.includes('"') && !text.includes('\\')), fc.array(fc.constantFrom('a', 'b'), { maxLength: 5 }), (secret, path) => {
      const nested = path.reduce<unknown>((inner, key) => ({ [key]: [inner] }), { env: { NAME: secret }, input: secret, output: secret, tokenHash: secret, ciphertext: secret, sealed: [{ name: 'A', box: secret }] });
      expect(JSON.stringify(withoutSecrets(nested))).not.toContain(JSON.stringify(secret).slice(1, -1));
    }));
  });
});

describe('the timeline', () => {
  it('names the variables of an environment, sealed ones too', () => {
    expect(withoutSecrets({ app })).toEqual({ app: { image: 'shop:1', port: 80, envNames: ['MODE', 'SECRET'], healthPath: '/' } });
    const naming = { ...app, secretEnv: [{ name: 'MAIL', secret: 'mail-password', version: 0 }] };
    expect(withoutSecrets({ app: naming })).toEqual({ app: { image: 'shop:1', port: 80, envNames: ['MAIL', 'MODE', 'SECRET'], envSecrets: { MAIL: 'mail-password' }, healthPath: '/' } });
  });
});

describe('folding', () => {
  const events: [KeyedTable, string, MessageOf<MessageType>][] = [
    [sitesTable, 'site/s', asked], [sitesTable, 'site/s', activated],
    [projectsTable, 'project/p', { type: 'ProjectRequested', data: { projectId: 'p', operationId: 'o', ownerId: 'ann', name: 'x', hostId: 'local', subnet: '' } }],
    [projectsTable, 'project/p', { type: 'ProjectFailed', data: { projectId: 'p', operationId: 'o', step: 'home', error: 'no' } }],
    [tokensTable, 'token/t', { type: 'TokenIssued', data: { tokenId: 't', ownerId: 'ann', name: 'x', tokenHash: 'h', scopes: ['read'], projects: [], verbs: [], expiresAt: '' } }],
    [tokensTable, 'token/t', { type: 'TokenRevoked', data: { tokenId: 't' } }],
  ];
  it('gives the same rows in one batch or in many', () => {
    const messages = events.map(([table, stream, event]) => [table, stored(stream, event)] as const);
    for (const table of new Set(events.map(([one]) => one))) {
      const own = messages.filter(([one]) => one === table).map(([, message]) => message);
      const atOnce = foldBatch(table, new Map(), own);
      const oneByOne = own.reduce((rows, message) => new Map([...rows, ...foldBatch(table, rows, [message])]), new Map<string, KeyedRow>());
      expect(oneByOne).toEqual(atOnce);
    }
  });
});
