import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { MessageOf } from '#contracts/registry.js';
import { launchWordPress } from '../launch-wordpress/launch-wordpress.js';
import { adminPasswordKey, databasePasswordKey, projectRootPasswordKey } from '../naming/naming.js';
import { given } from '../../../test/support/given.js';
import { operationDecider, settlementOf, type OperationCommand, type OperationEventType, type OperationState } from './operation.js';
import { launchWordPressFromBackup, restoreWordPress, type RestoreInput } from '../restore-site/restore-site.js';
import type { SiteInput } from './site-steps.js';
import type { Ask, AskType, Fact, WorkflowKind } from './workflow.js';
import { workflows } from './workflows.js';

type Message = MessageOf<OperationEventType | AskType>;
const [SITE, PROJECT, OTHER] = ['0190b4c6-7f3e-7c3a-9a57-0123456789ab', '0190b4c6-7f3e-7c3a-9a57-0123456789ac', '0190b4c6-7f3e-7c3a-9a57-0123456789ad'] as const;
const target = { address: '10.77.0.2', port: 80, root: '' };
const spec = {
  siteId: SITE, projectId: PROJECT, name: 'blog', kind: 'app', runtime: 'docker', subnet: '10.77.0.0/24', address: '10.77.0.2', power: 'running',
  app: undefined, releaseId: '', content: undefined, restartedAfter: '', wordpress: undefined, limits: undefined, dataId: '', url: '',
};
const input: SiteInput = { hostId: 'local', hostnames: ['blog.localhost'], spec, previous: { releaseId: '', content: undefined }, power: 'running', keepData: false };
const WORDPRESS = ['EnsureSecrets', 'EnsureSecrets', 'EnsureDatabase', 'EnsureWorkload', 'InstallWorkload', 'EnsureRoute', 'ConfirmPage'];
const RESTORED = ['EnsureSecrets', 'EnsureSecrets', 'EnsureDatabase', 'RestoreBackup', 'EnsureWorkload', 'InstallWorkload', 'EnsureRoute', 'ConfirmPage', 'RemoveData', 'RemoveDatabase'];
const ref = { backupId: 'b', target: 'local', key: 'p/s/b.tar', sha256: 'a'.repeat(64), sizeBytes: 9 };
const restoring: RestoreInput = { ...input, ref, restored: { dataId: OTHER, releaseId: '', content: undefined }, newDataId: OTHER, oldDataId: SITE };
const inputs: Partial<Record<WorkflowKind, object>> = {
  'launch-project': { projectId: 'p', hostId: 'local', subnet: '10.77.0.0/24' }, 'remove-project': { projectId: 'p', hostId: 'local', subnet: '10.77.0.0/24' },
  'backup-site': { ...input, backupId: 'b' }, 'restore-site': restoring, 'launch-from-backup': restoring, 'restore-wordpress': restoring, 'launch-wordpress-from-backup': restoring, 'remove-backup': { hostId: 'local', siteId: 's', projectId: 'p', backupId: 'b', target: '' },
};
const start = (kind: WorkflowKind): OperationCommand => ({ type: 'StartOperation', id: 'o', kind, siteId: 's', projectId: 'p', input: inputs[kind] ?? input });

/** The answer that the world gives to an ask, by its type. */
function answer(ask: MessageOf<AskType>, ok: boolean): Fact {
  const ids = { operationId: 'o', hostId: 'local', revision: 1, turn: ask.data.turn };
  const site = { ...ids, siteId: 's' };
  const error = 'it broke';
  switch (ask.type) {
    case 'EnsureHome': return ok ? { type: 'HomeReady', data: { ...ids, projectId: 'p' } } : { type: 'HomeFailed', data: { ...ids, projectId: 'p', error } };
    case 'RemoveHome': return ok ? { type: 'HomeRemoved', data: { ...ids, projectId: 'p' } } : { type: 'HomeFailed', data: { ...ids, projectId: 'p', error } };
    case 'EnsureWorkload': return ok ? { type: 'WorkloadReady', data: { ...site, target, power: 'running', runtime: 'docker' } } : { type: 'WorkloadFailed', data: { ...site, error } };
    case 'RemoveWorkload': return ok ? { type: 'WorkloadRemoved', data: site } : { type: 'WorkloadFailed', data: { ...site, error } };
    case 'EnsureKeyring': return ok ? { type: 'SecretsReady', data: { ...ids, projectId: 'p', siteId: '' } } : { type: 'SecretsFailed', data: { ...ids, projectId: 'p', siteId: '', error } };
    case 'DestroyKeyring': return ok ? { type: 'SecretsRemoved', data: { ...ids, projectId: 'p' } } : { type: 'SecretsFailed', data: { ...ids, projectId: 'p', siteId: '', error } };
    case 'EnsureSecrets': return ok ? { type: 'SecretsReady', data: { ...site, projectId: 'p' } } : { type: 'SecretsFailed', data: { ...site, projectId: 'p', error } };
    case 'EnsureDatabase': return ok ? { type: 'DatabaseReady', data: site } : { type: 'DatabaseFailed', data: { ...site, error } };
    case 'RemoveDatabase': return ok ? { type: 'DatabaseRemoved', data: site } : { type: 'DatabaseFailed', data: { ...site, error } };
    case 'InstallWorkload': return ok ? { type: 'WorkloadInstalled', data: site } : { type: 'WorkloadFailed', data: { ...site, error } };
    case 'ConfirmPage': return ok ? { type: 'PageConfirmed', data: site } : { type: 'EdgeFailed', data: { ...site, error, step: '' } };
    case 'TakeBackup': return ok ? { type: 'BackupTaken', data: { ...site, ref, durationMs: 5, frozenMs: 2 } } : { type: 'BackupFailed', data: { ...site, error } };
    case 'RestoreBackup': return ok ? { type: 'BackupRestored', data: { ...site, backupId: 'b' } } : { type: 'BackupFailed', data: { ...site, error } };
    case 'RemoveBackup': return ok ? { type: 'BackupRemoved', data: { ...site, backupId: 'b' } } : { type: 'BackupFailed', data: { ...site, error } };
    case 'RemoveData': return ok ? { type: 'DataRemoved', data: site } : { type: 'BackupFailed', data: { ...site, error } };
    default: return ok ? { type: 'EdgeApplied', data: { ...site, servedRevision: 1, configHash: '', tunnel: '' } } : { type: 'EdgeFailed', data: { ...site, error, step: '' } };
  }
}

/** Runs a workflow to its end against a world in which the n-th asks fail; answers what was asked and the last state. */
function run(kind: WorkflowKind, failing: readonly number[], given?: object): { asked: string[]; state: OperationState } {
  let state: OperationState = operationDecider.initial;
  const asked: string[] = [];
  let messages = operationDecider.decide({ ...start(kind), ...(given && { input: given }) } as OperationCommand, state) as readonly Message[];
  for (let n = 1; n < 20; n++) {
    for (const message of messages) state = operationDecider.evolve(state, message);
    const ask = messages.find((message): message is MessageOf<AskType> => !message.type.startsWith('Operation'));
    if (!ask) return { asked, state };
    asked.push(ask.type);
    const command: OperationCommand = { type: 'Answer', fact: answer(ask, !failing.includes(n)) };
    messages = operationDecider.decide(command, state);
  }
  throw new Error('It does not end.');
}

/** Everything until the n-th ask, when nothing fails. */
function untilAsked(kind: WorkflowKind, most: number): Message[] {
  const history: Message[] = [];
  let messages = operationDecider.decide(start(kind), operationDecider.initial) as readonly Message[];
  for (let n = 1; ; n++) {
    history.push(...messages);
    const ask = messages.find((message): message is MessageOf<AskType> => !message.type.startsWith('Operation'));
    if (!ask || n === most) return history;
    messages = operationDecider.decide({ type: 'Answer', fact: answer(ask, true) }, given(operationDecider, ...history).state());
  }
}

describe('an operation', () => {
  it('asks step by step and settles with the outcome', () => {
    const { asked, state } = run('launch-site', []);
    expect(asked).toEqual(['EnsureWorkload', 'EnsureRoute']);
    expect(settlementOf(state)).toEqual({ type: 'ActivateSite', operationId: 'o', target });
  });
  it.each([
    ['launch-site', [1], ['EnsureWorkload', 'RemoveWorkload'], { step: 'workload', undone: ['workload'] }],
    ['launch-site', [2], ['EnsureWorkload', 'EnsureRoute', 'RemoveRoute', 'RemoveWorkload'], { step: 'route', undone: ['route', 'workload'] }],
    ['launch-site', [2, 3], ['EnsureWorkload', 'EnsureRoute', 'RemoveRoute', 'RemoveWorkload'], { step: 'route', undone: ['workload'] }],
    ['launch-wordpress', [1], WORDPRESS.slice(0, 1), { step: 'server secret', undone: [] }],
    ['launch-wordpress', [2], WORDPRESS.slice(0, 2), { step: 'secrets', undone: [] }],
    ['launch-wordpress', [3], [...WORDPRESS.slice(0, 3), 'RemoveDatabase'], { step: 'database', undone: ['database'] }],
    ['launch-wordpress', [4], [...WORDPRESS.slice(0, 4), 'RemoveWorkload', 'RemoveDatabase'], { step: 'workload', undone: ['workload', 'database'] }],
    ['launch-wordpress', [5], [...WORDPRESS.slice(0, 5), 'RemoveWorkload', 'RemoveDatabase'], { step: 'install', undone: ['workload', 'database'] }],
    ['launch-wordpress', [6], [...WORDPRESS.slice(0, 6), 'RemoveRoute', 'RemoveWorkload', 'RemoveDatabase'], { step: 'route', undone: ['route', 'workload', 'database'] }],
    ['launch-wordpress', [7], [...WORDPRESS, 'RemoveRoute', 'RemoveWorkload', 'RemoveDatabase'], { step: 'page', undone: ['route', 'workload', 'database'] }],
    ['update-site', [1], ['EnsureWorkload', 'EnsureWorkload'], { step: 'workload' }],
    ['update-site', [2], ['EnsureWorkload', 'EnsureRoute', 'EnsureWorkload'], { step: 'route' }],
    ['remove-wordpress', [3], ['RemoveRoute', 'RemoveWorkload', 'RemoveDatabase'], { step: 'database', undone: [] }],
    ['remove-site', [2], ['RemoveRoute', 'RemoveWorkload'], { step: 'workload', undone: [] }],
    ['discard-data', [1], ['RemoveWorkload'], { type: 'FailDiscard', step: 'workload' }],
    ['discard-wordpress-data', [1], ['RemoveWorkload'], { type: 'FailDiscard', step: 'workload' }],
    ['discard-wordpress-data', [2], ['RemoveWorkload', 'RemoveDatabase'], { type: 'FailDiscard', step: 'database' }],
    ['publish-release', [2], ['EnsureWorkload', 'EnsureRoute', 'EnsureWorkload'], { step: 'route' }],
    ['stop-site', [2], ['EnsureRoute', 'EnsureWorkload', 'EnsureWorkload', 'EnsureRoute'], { step: 'workload' }],
    ['start-site', [1], ['EnsureWorkload', 'EnsureWorkload'], { step: 'workload' }],
    ['restart-site', [1], ['EnsureWorkload'], { step: 'workload' }],
    ['restart-site', [2], ['EnsureWorkload', 'EnsureRoute'], { step: 'route' }],
    ['backup-site', [1], ['TakeBackup', 'RemoveBackup'], { type: 'FailBackup', step: 'take' }],
    ['restore-site', [1], ['RestoreBackup', 'RemoveData'], { type: 'FailRestore', step: 'data' }],
    ['restore-site', [2], ['RestoreBackup', 'EnsureWorkload', 'EnsureWorkload', 'RemoveData'], { step: 'workload' }],
    ['restore-site', [3], ['RestoreBackup', 'EnsureWorkload', 'EnsureRoute', 'EnsureWorkload', 'RemoveData'], { step: 'route' }],
    ['launch-from-backup', [2], ['RestoreBackup', 'EnsureWorkload', 'RemoveWorkload', 'RemoveData'], { type: 'FailSite', step: 'workload', undone: ['workload', 'data'] }],
    ['restore-wordpress', [4], ['EnsureSecrets', 'EnsureSecrets', 'EnsureDatabase', 'RestoreBackup', 'RemoveData', 'RemoveDatabase'], { type: 'FailRestore', step: 'data' }],
    ['restore-wordpress', [6], [...RESTORED.slice(0, 6), 'EnsureWorkload', 'RemoveData', 'RemoveDatabase'], { type: 'FailRestore', step: 'install' }],
    ['restore-wordpress', [8, 9], [...RESTORED.slice(0, 8), 'EnsureWorkload', 'RemoveData', 'RemoveDatabase'], { type: 'FailRestore', step: 'page' }],
    ['launch-wordpress-from-backup', [6], [...RESTORED.slice(0, 6), 'RemoveWorkload', 'RemoveData', 'RemoveDatabase'], { type: 'FailSite', step: 'install', undone: ['workload', 'data', 'database'] }],
    ['launch-wordpress-from-backup', [8], [...RESTORED.slice(0, 8), 'RemoveRoute', 'RemoveWorkload', 'RemoveData', 'RemoveDatabase'], { type: 'FailSite', step: 'page' }],
    ['remove-backup', [1], ['RemoveBackup'], { type: 'FailRemoval' }],
    ['repair-site', [2], ['EnsureWorkload', 'EnsureRoute'], { type: 'FailSwitch', step: 'route' }],
    ['repair-wordpress', [4], WORDPRESS.slice(0, 4), { type: 'FailSwitch', step: 'workload' }],
    ['repair-wordpress', [7], WORDPRESS, { type: 'FailSwitch', step: 'page' }],
    ['repair-stopped-wordpress', [5], [...WORDPRESS.slice(0, 4), 'EnsureRoute'], { type: 'FailSwitch', step: 'route' }],
    ['launch-project', [1], ['EnsureHome', 'RemoveHome'], { step: 'home' }],
    ['launch-project', [2], ['EnsureHome', 'EnsureKeyring', 'RemoveHome'], { step: 'keyring' }],
    ['remove-project', [1], ['RemoveHome'], { step: 'home' }],
    ['remove-project', [2], ['RemoveHome', 'DestroyKeyring'], { step: 'keyring' }],
  ] as const)('%s with ask %j failing is taken back in reverse order', (kind, failing, asked, failure) => {
    const outcome = run(kind, failing);
    expect(outcome.asked).toEqual(asked);
    expect(outcome.state.status).toBe('failed');
    expect(settlementOf(outcome.state)).toMatchObject({ operationId: 'o', error: 'it broke', ...failure });
  });
  it.each([
    ['launch-wordpress', [], ['EnsureSecrets', 'EnsureWorkload', 'InstallWorkload', 'EnsureRoute', 'ConfirmPage']],
    ['launch-wordpress', [3], ['EnsureSecrets', 'EnsureWorkload', 'InstallWorkload', 'RemoveWorkload']],
    ['launch-wordpress', [5], ['EnsureSecrets', 'EnsureWorkload', 'InstallWorkload', 'EnsureRoute', 'ConfirmPage', 'RemoveRoute', 'RemoveWorkload']],
    ['repair-wordpress', [], ['EnsureSecrets', 'EnsureWorkload', 'InstallWorkload', 'EnsureRoute', 'ConfirmPage']],
    ['remove-wordpress', [], ['RemoveRoute', 'RemoveWorkload']],
    ['discard-wordpress-data', [], ['RemoveWorkload']],
  ] as const)('%s asks no server for a database that comes with the workload (failing: %j)', (kind, failing, asked) => {
    const outcome = run(kind, failing, { ...input, spec: { ...spec, kind: 'wordpress', runtime: 'coolify' } });
    expect([outcome.asked, outcome.state.status]).toEqual([asked, failing.length > 0 ? 'failed' : 'succeeded']);
  });
  it('of a project makes its keys after its home, and destroys them last of all', () => {
    expect(run('launch-project', []).asked).toEqual(['EnsureHome', 'EnsureKeyring']);
    expect(run('remove-project', []).asked).toEqual(['RemoveHome', 'DestroyKeyring']);
  });
  it('goes on when only an optional step fails, or is given up', () => {
    const asked = ['RestoreBackup', 'EnsureWorkload', 'EnsureRoute', 'RemoveData'];
    const { state, ...outcome } = run('restore-site', [4]);
    expect([outcome.asked, state.status, settlementOf(state)]).toEqual([asked, 'succeeded', { type: 'FinishRestore', operationId: 'o', target }]);
    const dropping = untilAsked('restore-site', 4);
    const givenUp = operationDecider.decide({ type: 'CancelOperation', reason: 'late' }, given(operationDecider, ...dropping).state());
    expect(givenUp.map(({ type }) => type)).toEqual(['OperationStepFailed', 'OperationSucceeded']);
  });
  it('hands the data of a backup to the restored site only, and takes away the right one', () => {
    const asks = untilAsked('restore-site', 4).filter((message): message is MessageOf<AskType> => !message.type.startsWith('Operation'));
    expect(asks.map(({ data }) => ('dataId' in data ? data.dataId : 'spec' in data ? (data.spec as { dataId: string }).dataId : ''))).toEqual([OTHER, OTHER, '', SITE]);
  });
  it('fills another database and other volumes of a WordPress site, and takes away what nobody uses', () => {
    const wordpress = { phpVersion: '8.3', title: 'Blog', adminUser: 'admin', adminEmail: '', locale: '', database: 'shared' };
    const site = { ...restoring, keepData: true, restored: { ...restoring.restored, dataId: OTHER }, newDataId: OTHER, oldDataId: SITE, spec: { ...spec, kind: 'wordpress', wordpress } };
    const asked = (steps: readonly { ask(input: RestoreInput, outputs: object): Ask }[]) => steps.map(({ ask }) => ask(site, {})).map(({ type, data }) => [type, data] as const);
    const dataOf = (data: object): unknown => ('dataId' in data ? data.dataId : 'spec' in data ? (data.spec as { dataId: string }).dataId : '');
    expect(asked(restoreWordPress.steps).map(([type, data]) => [type, dataOf(data), 'keepData' in data && data.keepData])).toEqual([
      ['EnsureSecrets', '', false], ['EnsureSecrets', '', false], ['EnsureDatabase', OTHER, false], ['RestoreBackup', OTHER, false], ['EnsureWorkload', OTHER, false],
      ['InstallWorkload', OTHER, false], ['EnsureRoute', '', false], ['ConfirmPage', '', false], ['RemoveData', SITE, false], ['RemoveDatabase', SITE, false],
    ]);
    expect(asked(restoreWordPress.steps)[1]![1]).toMatchObject({ wishes: [{ name: databasePasswordKey(OTHER) }, { name: adminPasswordKey(OTHER) }] });
    expect(asked(restoreWordPress.steps.flatMap(({ undo }) => undo ?? [])).map(([type, data]) => [type, dataOf(data), 'keepData' in data && data.keepData])).toEqual([
      ['RemoveDatabase', OTHER, false], ['RemoveData', OTHER, false], ['EnsureWorkload', '', false],
    ]);
    expect(asked(launchWordPressFromBackup.steps).at(-1)![1]).toMatchObject({ expected: '' });
  });
  it('ends whatever fails', () => {
    fc.assert(fc.property(fc.constantFrom(...(Object.keys(workflows) as WorkflowKind[])), fc.uniqueArray(fc.integer({ min: 1, max: 14 })), (kind, failing) => {
      expect(['succeeded', 'failed']).toContain(run(kind, failing).state.status);
    }));
  });
  it('asks the vault for what a WordPress site needs, and always for the same: its own names, and the root password of the server that it is on', () => {
    const asks = (database: string, dataId = '') => {
      const wordpress = { phpVersion: '8.3', title: 'Blog', adminUser: 'admin', adminEmail: '', locale: '', database };
      const site = { ...input, spec: { ...spec, siteId: SITE, projectId: PROJECT, dataId, kind: 'wordpress', wordpress } };
      return launchWordPress.steps.map(({ ask }) => ask(site, {}));
    };
    const wishes = (ask: Ask | undefined) => (ask?.type === 'EnsureSecrets' ? [ask.data.projectId, ...ask.data.wishes.map(({ name }) => name)] : []);
    const [server, own] = asks('shared');
    expect([wishes(server), wishes(own)]).toEqual([['host-local', 'host/local/database-root-password'], [PROJECT, databasePasswordKey(SITE), adminPasswordKey(SITE)]]);
    expect(wishes(asks('own')[0])).toEqual([PROJECT, projectRootPasswordKey(PROJECT)]);
    expect(wishes(asks('shared', OTHER)[1])).toEqual([PROJECT, databasePasswordKey(OTHER), adminPasswordKey(OTHER)]);
    expect(asks('shared').at(-1)).toMatchObject({ type: 'ConfirmPage', data: { hostname: 'blog.localhost', expected: 'Blog' } });
    expect(asks('shared', OTHER).at(-1)).toMatchObject({ data: { expected: '' } });
  });
  it('ignores answers that are late, repeated, or meant for another', () => {
    const started = operationDecider.decide(start('launch-site'), operationDecider.initial) as readonly Message[];
    const ask = started.at(-1) as MessageOf<AskType>;
    const ready = answer(ask, true);
    given(operationDecider, ...started).when({ type: 'Answer', fact: ready }).thenTypes('OperationStepSucceeded', 'OperationStepStarted', 'EnsureRoute');
    given(operationDecider, ...started).when({ type: 'Answer', fact: { ...ready, data: { ...ready.data, turn: 7 } } as Fact }).then();
    given(operationDecider, ...started).when({ type: 'Answer', fact: { ...ready, data: { ...ready.data, operationId: 'x' } } as Fact }).then();
  });
  it('is cancelled by taking back the step under way; one that only goes forward is not', () => {
    const started = operationDecider.decide(start('launch-site'), operationDecider.initial) as readonly Message[];
    given(operationDecider, ...started).when({ type: 'CancelOperation', reason: 'changed my mind' }).thenTypes('OperationStepFailed', 'OperationUndoStarted', 'RemoveWorkload');
    const removing = operationDecider.decide(start('remove-site'), operationDecider.initial) as readonly Message[];
    given(operationDecider, ...removing).when({ type: 'CancelOperation', reason: 'x' }).refused('conflict', /only goes forward/);
    const discarding = operationDecider.decide(start('discard-data'), operationDecider.initial) as readonly Message[];
    given(operationDecider, ...discarding).when({ type: 'CancelOperation', reason: 'x' }).refused('conflict', /only goes forward/);
  });
});
