import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { given } from '../../../test/support/given.js';
import { Refusal } from '../refusal.js';
import { siteDecider, type Site, type SiteCommand, type SiteEvent, type SiteState } from './site.js';
import { canMove, isLive, type SiteStatus } from './status.js';
import { leftOutOf, switchActions, type Power } from './switch.js';

const siteId = '0190b4c6-7f3e-7c3a-9a57-0123456789ab';
const request = {
  siteId, projectId: 'p', operationId: 'launch', ownerId: 'admin', name: 'blog', kind: 'static', runtime: 'files', hostId: 'local',
  hostname: 'blog', address: '', subnet: '10.77.0.0/24', app: undefined, wordpress: undefined, limits: undefined, dataId: '', backupId: '', releaseId: '', content: undefined,
};
const app = { image: 'nginx:1.27', port: 80, env: {}, healthPath: '/', sealedEnv: [], secretEnv: [] };
/** With boxes as long as one with nothing in it. */
const naming = (name: string, secret: string) => ({ secretEnv: [{ name, secret, version: 0 }] });
const sealed = (...names: string[]) => ({ ...app, sealedEnv: names.map((name) => ({ name, box: 'A'.repeat(136) })) });
const PLAIN = [{ name: 'A', box: 'plain' }];
const content = { sha256: 'a'.repeat(64), sizeBytes: 1, format: 'zip', fileCount: 1 };
const target = { address: '', port: 0, root: `${siteId}/current` };
const ids = (operationId: string) => ({ siteId, operationId });

const requested: SiteEvent = { type: 'SiteRequested', data: request };
const started: SiteEvent = { type: 'SiteProvisioningStarted', data: ids('launch') };
const active: SiteEvent = { type: 'SiteActivated', data: { ...ids('launch'), target } };
const failed: SiteEvent = { type: 'SiteFailed', data: { ...ids('launch'), step: 'workload', error: 'no', undone: ['workload'] } };
const destroying: SiteEvent = { type: 'SiteDestroyRequested', data: { ...ids('remove'), keepData: false } };
const live = [requested, started, active];
const release = (id: string) => ({ siteId, operationId: id, releaseId: `r-${id}`, content });
const publish = (id: string): SiteCommand => ({ type: 'PublishRelease', operationId: id, releaseId: `r-${id}`, content });

describe('a site', () => {
  it('is requested once', () => {
    given(siteDecider).when({ type: 'RequestSite', site: request }).then(requested);
    given(siteDecider, requested).when({ type: 'RequestSite', site: { ...request, operationId: 'other' } }).refused('conflict', /"blog" exists already and is CREATED/);
  });
  it.each([
    [{ name: 'Bad Name' }, 'invalid'], [{ name: 'www' }, 'invalid'], [{ kind: 'ftp' }, 'invalid'], [{ runtime: 'vm' }, 'invalid'],
    [{ app }, 'invalid'], [{ kind: 'app', runtime: 'docker' }, 'invalid'],
    [{ kind: 'app', runtime: 'docker', app: { ...app, port: 0 } }, 'invalid'], [{ kind: 'app', runtime: 'docker', app: { ...app, image: 'Bad Image' } }, 'invalid'],
    [{ kind: 'app', runtime: 'docker', app: { ...app, healthPath: 'x' } }, 'invalid'], [{ kind: 'app', runtime: 'docker', app: sealed('A B') }, 'invalid'],
    [{ kind: 'app', runtime: 'docker', app: { ...app, env: { PLAIN: 'x' } } }, 'invalid'], [{ kind: 'app', runtime: 'docker', app: { ...app, sealedEnv: PLAIN } }, 'invalid'],
    [{ kind: 'app', runtime: 'docker', app: sealed('A', 'A') }, 'invalid'],
    [{ kind: 'app', runtime: 'docker', app: { ...sealed('A'), ...naming('A', 'mail') } }, 'invalid'], [{ kind: 'app', runtime: 'docker', app: { ...app, ...naming('A B', 'mail') } }, 'invalid'],
    [{ kind: 'app', runtime: 'docker', app: { ...app, ...naming('A', 'site/x/admin-password') } }, 'invalid'],
  ] as const)('refuses a request with %j', (part, code) => {
    given(siteDecider).when({ type: 'RequestSite', site: { ...request, ...part } }).refused(code);
  });
  it('goes from created to active', () => {
    given(siteDecider, requested).when({ type: 'BeginProvisioning', operationId: 'launch' }).then(started);
    given(siteDecider, requested, started).when({ type: 'ActivateSite', operationId: 'launch', target }).then(active);
  });
  it('keeps the error, the step and what was undone when it fails, and can be retried', () => {
    given(siteDecider, requested, started).when({ type: 'FailSite', operationId: 'launch', step: 'workload', error: 'no', undone: ['workload'] }).then(failed);
    given(siteDecider, requested, started, failed).when({ type: 'RetrySite', operationId: 'again' }).then({ type: 'SiteRetryRequested', data: ids('again') });
    given(siteDecider, ...live).when({ type: 'RetrySite', operationId: 'again' }).refused('conflict', /ACTIVE cannot be retried/);
  });
  it('does one thing at a time', () => {
    given(siteDecider, requested, started).when({ type: 'DestroySite', operationId: 'remove', keepData: false }).refused('conflict', /busy with a launch \(operation launch\)/);
    given(siteDecider, ...live, { type: 'SiteSwitchRequested', data: { ...ids('stop'), action: 'stop' } }).when({ type: 'SwitchSite', operationId: 'x', action: 'start' }).refused('conflict', /busy/);
  });
  it('ignores the end of an operation that is not its own', () => {
    given(siteDecider, requested, started).when({ type: 'ActivateSite', operationId: 'other', target }).then();
    given(siteDecider, ...live).when({ type: 'FailSite', operationId: 'launch', step: 's', error: 'e', undone: [] }).then();
  });
  it('is destroyed from active and failed, and asking again changes nothing', () => {
    given(siteDecider, ...live).when({ type: 'DestroySite', operationId: 'remove', keepData: false }).then(destroying);
    given(siteDecider, requested, started, failed).when({ type: 'DestroySite', operationId: 'remove', keepData: false }).then(destroying);
    given(siteDecider, ...live, destroying).when({ type: 'DestroySite', operationId: 'second', keepData: false }).then();
    const destroyed = { type: 'SiteDestroyed', data: ids('remove') } as const;
    given(siteDecider, ...live, destroying).when({ type: 'FinishDestroy', operationId: 'remove' }).then(destroyed);
    given(siteDecider, ...live, destroying, destroyed).when({ type: 'DestroySite', operationId: 'third', keepData: false }).refused('conflict', /destroyed already/);
  });
  it('is not backed up, or filled from a backup, where nobody gets at its data', () => {
    const there = { ...requested, data: { ...request, kind: 'app', runtime: 'coolify', app } };
    given(siteDecider, there, started, active).when({ type: 'BackUpSite', operationId: 'b', backupId: 'k', destroyOperationId: '' }).refused('unsupported', /"coolify" cannot be backed up/);
    given(siteDecider, there, started, active).when({ type: 'RestoreSite', operationId: 'b', backupId: 'k', dataId: 'd', releaseId: '', content: undefined }).refused('unsupported');
  });
  it('of WordPress changes its PHP while it is live, goes back when that fails, and of another kind does not', () => {
    const wordpress = { phpVersion: '8.3', title: 'T', adminUser: 'admin', adminEmail: '', locale: '', database: 'shared' };
    const blog: SiteEvent = { type: 'SiteRequested', data: { ...request, kind: 'wordpress', runtime: 'docker', wordpress } };
    const update: SiteCommand = { type: 'UpdateSite', operationId: 'u', phpVersion: '8.4' };
    const asked: SiteEvent = { type: 'SiteUpdateRequested', data: { ...ids('u'), wordpress: { ...wordpress, phpVersion: '8.4' } } };
    const fail = { step: 'workload', error: 'no' };
    given(siteDecider, blog, started, active).when(update).then(asked);
    given(siteDecider, blog, started, active).when({ ...update, phpVersion: '' }).then({ ...asked, data: { ...asked.data, wordpress } } as SiteEvent);
    given(siteDecider, blog, started, active).when({ ...update, phpVersion: 'x' }).refused('invalid');
    given(siteDecider, blog, started).when(update).refused('conflict');
    given(siteDecider, blog, started, failed).when(update).refused('conflict', /FAILED cannot be updated\. Repair or retry it first\./);
    given(siteDecider, ...live).when(update).refused('unsupported');
    given(siteDecider, blog, started, active, asked).when({ type: 'FailUpdate', operationId: 'u', ...fail }).then({ type: 'SiteUpdateFailed', data: { ...ids('u'), ...fail } });
    given(siteDecider, blog, started, active, asked).when({ type: 'FinishUpdate', operationId: 'u', target }).then({ type: 'SiteUpdated', data: { ...ids('u'), target } });
    const phpOf = (...events: SiteEvent[]) => (given(siteDecider, blog, started, active, asked, ...events).state() as Site).request.wordpress?.phpVersion;
    expect([phpOf({ type: 'SiteUpdateFailed', data: { ...ids('u'), ...fail } }), phpOf({ type: 'SiteUpdated', data: { ...ids('u'), target } })]).toEqual(['8.3', '8.4']);
  });
  it('stops, starts and restarts only while it is live', () => {
    given(siteDecider, ...live).when({ type: 'SwitchSite', operationId: 'o', action: 'stop' }).then({ type: 'SiteSwitchRequested', data: { ...ids('o'), action: 'stop' } });
    given(siteDecider, requested, started, failed).when({ type: 'SwitchSite', operationId: 'o', action: 'stop' }).refused('conflict', /FAILED cannot stop/);
    given(siteDecider, ...live).when({ type: 'SwitchSite', operationId: 'o', action: 'fly' }).refused('invalid');
  });
  it('is repaired as it is, running or stopped; a failed one is provisioned again', () => {
    const repair = { type: 'SwitchSite', operationId: 'o', action: 'repair' } as const;
    const asked: SiteEvent = { type: 'SiteSwitchRequested', data: { ...ids('o'), action: 'repair' } };
    const stopped: SiteEvent = { type: 'SiteSwitched', data: { ...ids('s'), action: 'stop', power: 'stopped', target: undefined } };
    given(siteDecider, ...live).when(repair).then(asked);
    given(siteDecider, ...live, asked).when({ type: 'FinishSwitch', operationId: 'o' }).then({ type: 'SiteSwitched', data: { ...ids('o'), action: 'repair', power: 'running', target: undefined } });
    const off = [...live, { type: 'SiteSwitchRequested', data: { ...ids('s'), action: 'stop' } }, stopped, asked] as const;
    given(siteDecider, ...off).when({ type: 'FinishSwitch', operationId: 'o' }).then({ type: 'SiteSwitched', data: { ...ids('o'), action: 'repair', power: 'stopped', target: undefined } });
    given(siteDecider, requested, started, failed).when(repair).then({ type: 'SiteRetryRequested', data: ids('o') });
    given(siteDecider, requested, started).when(repair).refused('conflict', /busy/);
  });
  it('is left out of what its project does where that does not apply to it, with the reason', () => {
    const outcome = (status: SiteStatus, power: Power = 'running') => switchActions.map((action) => leftOutOf(action, { status, power }) === undefined);
    expect([outcome('ACTIVE'), outcome('ACTIVE', 'stopped'), outcome('FAILED'), outcome('PROVISIONING'), outcome('DESTROYING')])
      .toEqual([[false, true, true, true], [true, false, false, true], [false, false, false, true], [false, false, false, false], [false, false, false, false]]);
    expect(leftOutOf('stop', { status: 'ACTIVE', power: 'stopped' })).toBe('It is stopped.');
  });
});

describe('a release', () => {
  it('starts at once when the site is free', () => {
    given(siteDecider, ...live).when(publish('a')).then({ type: 'SiteReleaseRequested', data: release('a') }, { type: 'SiteReleaseStarted', data: release('a') });
  });
  it('waits for the launch and starts with its end', () => {
    const waiting: SiteEvent = { type: 'SiteReleaseRequested', data: release('a') };
    given(siteDecider, requested).when(publish('a')).then(waiting);
    given(siteDecider, requested, started, waiting).when({ type: 'ActivateSite', operationId: 'launch', target }).then(active, { type: 'SiteReleaseStarted', data: release('a') });
  });
  it('takes the place of an older one that still waits', () => {
    given(siteDecider, requested, { type: 'SiteReleaseRequested', data: release('a') }).when(publish('b')).thenTypes('SiteReleaseDropped', 'SiteReleaseRequested');
  });
  it('is for static sites that have not failed', () => {
    given(siteDecider, requested, started, failed).when(publish('a')).refused('conflict', /Retry it first/);
    given(siteDecider, { type: 'SiteRequested', data: { ...request, kind: 'app', runtime: 'docker', app } }).when(publish('a')).refused('unsupported');
  });
});

describe('random histories', () => {
  const operation = fc.constantFrom('launch', 'o1', 'o2', 'o3');
  const command: fc.Arbitrary<SiteCommand> = fc.oneof(
    operation.map((operationId): SiteCommand => ({ type: 'RequestSite', site: { ...request, operationId } })),
    fc.tuple(fc.constantFrom('BeginProvisioning', 'RetrySite', 'FinishSwitch', 'FinishDestroy', 'FinishDiscard'), operation).map(([type, operationId]) => ({ type, operationId })),
    fc.tuple(operation, fc.boolean()).map(([operationId, keepData]): SiteCommand => ({ type: 'DestroySite', operationId, keepData })),
    operation.map((operationId): SiteCommand => ({ type: 'ActivateSite', operationId, target })),
    operation.map((operationId): SiteCommand => ({ type: 'FinishRelease', operationId, target })),
    fc.tuple(fc.constantFrom('FailSite', 'FailRelease', 'FailSwitch', 'FailDiscard'), operation).map(([type, operationId]) => ({ type, operationId, step: 's', error: 'e', undone: [] })),
    operation.map(publish),
    operation.map((operationId): SiteCommand => ({ type: 'DiscardData', operationId, name: '' })),
    operation.map((heirId): SiteCommand => ({ type: 'HandOverData', heirId })),
    fc.tuple(operation, fc.constantFrom(...switchActions)).map(([operationId, action]): SiteCommand => ({ type: 'SwitchSite', operationId, action })),
  );
  it('only ever move along the table, are busy once destroyed with what they left alone, and repeat nothing', () => {
    fc.assert(fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      let state: SiteState = siteDecider.initial;
      for (const each of commands) {
        const before = state;
        let events: readonly SiteEvent[] = [];
        try {
          events = siteDecider.decide(each, state);
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          continue;
        }
        for (const event of events) state = siteDecider.evolve(state, event);
        if (before.status !== 'ABSENT' && state.status !== 'ABSENT' && before.status !== state.status) expect(canMove(before.status, state.status)).toBe(true);
        if (state.status === 'DESTROYED' && state.operation) expect([state.operation.kind, state.data]).toEqual(['discard', 'discarding']);
        if (state.status !== 'ABSENT' && state.status !== 'DESTROYED') expect(state.data).toBe('held');
        if (state.status !== 'ABSENT' && isLive(state.status)) expect(state.wasActive).toBe(true);
      }
    }), { numRuns: 2000 });
  });
});

describe('a site with data', () => {
  const backUp: SiteCommand = { type: 'BackUpSite', operationId: 'b', backupId: 'k', destroyOperationId: '' };
  const asked: SiteEvent = { type: 'SiteBackupRequested', data: { ...ids('b'), backupId: 'k', destroyOperationId: '' } };
  const backedUp: SiteEvent = { type: 'SiteBackedUp', data: { ...ids('b'), backupId: 'k' } };
  const finish: SiteCommand = { type: 'FinishBackup', operationId: 'b', ref: undefined, durationMs: 1, frozenMs: 1 };
  const restore: SiteCommand = { type: 'RestoreSite', operationId: 'r', backupId: 'k', dataId: 'd', releaseId: 'old', content };
  const restoring: SiteEvent = { type: 'SiteRestoreRequested', data: { ...ids('r'), backupId: 'k', dataId: 'd', releaseId: 'old', content } };
  const restored: SiteEvent = { type: 'SiteRestored', data: { ...ids('r'), backupId: 'k', dataId: 'd', releaseId: 'old', content, target } };

  it('is backed up, and does nothing else meanwhile', () => {
    given(siteDecider, ...live).when(backUp).then(asked);
    given(siteDecider, ...live, asked).when({ ...backUp, operationId: 'b2' }).refused('conflict', /busy with a backup/);
    given(siteDecider, ...live, asked).when(restore).refused('conflict', /busy with a backup/);
    given(siteDecider, ...live, asked).when(finish).then(backedUp);
    given(siteDecider, ...live, asked, backedUp).when(restore).then(restoring);
  });
  it('is not backed up before it was live', () => given(siteDecider, requested).when(backUp).refused('conflict', /busy with a launch/));
  it('takes what waited when the backup has ended, well or not', () => {
    const waiting: SiteEvent = { type: 'SiteReleaseRequested', data: release('x') };
    const started: SiteEvent = { type: 'SiteReleaseStarted', data: release('x') };
    given(siteDecider, ...live, asked, waiting).when(finish).then(backedUp, started);
    given(siteDecider, ...live, asked, waiting).when({ type: 'FailBackup', operationId: 'b', step: 'take', error: 'away' }).then({ type: 'SiteBackupFailed', data: { ...ids('b'), backupId: 'k', step: 'take', error: 'away' } }, started);
  });
  it('is destroyed after its last backup, and only when that was taken', () => {
    const last: SiteEvent = { type: 'SiteBackupRequested', data: { ...ids('b'), backupId: 'k', destroyOperationId: 'remove' } };
    given(siteDecider, ...live, last).when(finish).then(backedUp, destroying);
    given(siteDecider, ...live, last).when({ type: 'FailBackup', operationId: 'b', step: 'take', error: 'away' }).thenTypes('SiteBackupFailed');
  });
  it('goes back to a backup: its data and its release', () => {
    given(siteDecider, ...live, restoring).when({ type: 'FinishRestore', operationId: 'r', target }).then(restored);
    expect(given(siteDecider, ...live, restoring, restored).state()).toMatchObject({ dataId: 'd', release: { releaseId: 'old', content } });
  });
  it('keeps what it had when the restore fails', () => {
    const failed: SiteEvent = { type: 'SiteRestoreFailed', data: { ...ids('r'), backupId: 'k', step: 'data', error: 'damaged' } };
    given(siteDecider, ...live, restoring).when({ type: 'FailRestore', operationId: 'r', step: 'data', error: 'damaged' }).then(failed);
    expect(given(siteDecider, ...live, restoring, failed).state()).toMatchObject({ dataId: '', status: 'ACTIVE' });
  });
  it('is not restored while it is stopped: nobody could see whether it is healthy', () => {
    const stopped: SiteEvent[] = [{ type: 'SiteSwitchRequested', data: { ...ids('w'), action: 'stop' } }, { type: 'SiteSwitched', data: { ...ids('w'), action: 'stop', power: 'stopped', target: undefined } }];
    given(siteDecider, ...live, ...stopped).when(restore).refused('conflict', /stopped/);
    given(siteDecider, ...live, ...stopped).when(backUp).then(asked);
  });
});
