import { describe, expect, it } from '@jest/globals';
import { given } from '../../../test/support/given.js';
import { adminPasswordKey, databasePasswordKey } from '../naming/naming.js';
import { canDataMove, dataStatuses, type DataStatus } from './data-status.js';
import { siteDecider, type Site, type SiteCommand, type SiteEvent } from './site.js';

// One row a status, one column a target, in the order of dataStatuses: x is allowed.
const expected = `
held       .x..x
kept       ..xx.
taken      .....
discarding ....x
gone       .....`;
const rows = expected.trim().split('\n').map((line) => line.split(/\s+/) as [string, string]);
const cells = rows.flatMap(([from, marks]) => dataStatuses.map((to, i) => [from as DataStatus, to, marks[i] === 'x'] as const));

describe('what becomes of a site\'s data', () => {
  it('has a row for every status', () => expect(rows.map(([from]) => from)).toEqual([...dataStatuses]));
  it.each(cells)('%s to %s: %s', (from, to, allowed) => expect(canDataMove(from, to)).toBe(allowed));
});

const siteId = '0190b4c6-7f3e-7c3a-9a57-0123456789ab';
const request = {
  siteId, projectId: 'p', operationId: 'launch', ownerId: 'admin', name: 'shop', kind: 'app', runtime: 'docker', hostId: 'local', hostname: 'shop', address: '', subnet: '10.77.0.0/24',
  app: { image: 'nginx:1.27', port: 80, env: {}, healthPath: '/', sealedEnv: [], secretEnv: [] }, wordpress: undefined, limits: undefined, dataId: '', backupId: '', releaseId: '', content: undefined,
};
const ids = (operationId: string) => ({ siteId, operationId });
const requested = (dataId = ''): SiteEvent => ({ type: 'SiteRequested', data: { ...request, dataId } });
const started: SiteEvent = { type: 'SiteProvisioningStarted', data: ids('launch') };
const active: SiteEvent = { type: 'SiteActivated', data: { ...ids('launch'), target: undefined } };
const failed: SiteEvent = { type: 'SiteFailed', data: { ...ids('launch'), step: 'workload', error: 'no', undone: [] } };
const destroyed = (keepData: boolean): SiteEvent[] => [{ type: 'SiteDestroyRequested', data: { ...ids('remove'), keepData } }, { type: 'SiteDestroyed', data: ids('remove') }];
const live = [requested(), started, active];
const kept = [...live, ...destroyed(true)];
const taken: SiteEvent = { type: 'SiteDataTakenOver', data: { siteId, heirId: 'heir' } };
const discarding: SiteEvent = { type: 'SiteDataDiscardRequested', data: ids('d') };
const discarded: SiteEvent = { type: 'SiteDataDiscarded', data: ids('d') };
const discardFailed: SiteEvent = { type: 'SiteDataDiscardFailed', data: { ...ids('d'), step: 'database', error: 'down' } };
const discard = (operationId = 'd', name = ''): SiteCommand => ({ type: 'DiscardData', operationId, name });
const handOver = (heirId = 'heir'): SiteCommand => ({ type: 'HandOverData', heirId });
const dataAfter = (...events: SiteEvent[]) => (given(siteDecider, ...events).state() as Site).data;

/** A history for each status of the data, and how a discard and a takeover end there: what follows, or why they are refused. */
const outcomes: Readonly<Record<DataStatus, readonly [SiteEvent[], discard: SiteEvent | RegExp, handOver: SiteEvent | RegExp]>> = {
  held: [live, /ACTIVE: only the data of one that was destroyed can be discarded/, /ACTIVE: only the data of one that was destroyed can be taken over/],
  kept: [kept, discarding, taken],
  taken: [[...kept, { ...taken, data: { siteId, heirId: 'other' } } as SiteEvent], /taken over by another one already, other/, /taken over by another one already, other/],
  discarding: [[...kept, discarding, discardFailed], discarding, /being discarded, and a part of it may be gone/],
  gone: [[...kept, discarding, discarded], /gone: it went with it, or was discarded/, /gone: it went with it, or was discarded/],
};

describe('the data that a destroyed site left', () => {
  it.each(dataStatuses)('%s: is discarded, taken over, or neither with the reason', (status) => {
    const [history, ...ends] = outcomes[status];
    expect(dataAfter(...history)).toBe(status);
    for (const [command, end] of [[discard(), ends[0]], [handOver(), ends[1]]] as const) {
      if (end instanceof RegExp) given(siteDecider, ...history).when(command).refused('conflict', end);
      else given(siteDecider, ...history).when(command).then(end);
    }
  });
  it('is there only of a site that was asked to leave it, and had it', () => {
    const never = [requested(), started, failed];
    const heirs = [requested('old'), started, failed];
    expect([dataAfter(...live, ...destroyed(false)), dataAfter(...never, ...destroyed(true)), dataAfter(...heirs, ...destroyed(true)), dataAfter(...heirs, ...destroyed(false))]).toEqual(['gone', 'gone', 'kept', 'gone']);
  });
  it('goes to one site alone, which may ask again', () => {
    given(siteDecider, ...kept, taken).when(handOver()).then();
    given(siteDecider, ...kept, taken).when(handOver('second')).refused('conflict', /taken over/);
    given(siteDecider, ...kept, discarding).when(handOver()).refused('conflict', /being discarded/);
  });
  it('is discarded under the name that the site had, where one is said', () => {
    given(siteDecider, ...kept).when(discard('d', request.name)).then(discarding);
    given(siteDecider, ...kept).when(discard('d', 'other')).refused('invalid', new RegExp(`was called "${request.name}", not "other"`));
  });
  it('is discarded by one operation at a time, and a failed one is ended by another', () => {
    given(siteDecider, ...kept, discarding).when(discard('second')).then();
    given(siteDecider, ...kept, discarding).when({ type: 'FinishDiscard', operationId: 'd' }).then(discarded);
    given(siteDecider, ...kept, discarding).when({ type: 'FailDiscard', operationId: 'd', step: 'database', error: 'down' }).then(discardFailed);
    given(siteDecider, ...kept, discarding, discardFailed).when(discard('again')).then({ type: 'SiteDataDiscardRequested', data: ids('again') });
    expect(dataAfter(...kept, discarding, discardFailed, { type: 'SiteDataDiscardRequested', data: ids('again') }, { type: 'SiteDataDiscarded', data: ids('again') })).toBe('gone');
  });
  it('does not hear the end of an operation that is not its own, or that has ended', () => {
    given(siteDecider, ...kept, discarding).when({ type: 'FinishDiscard', operationId: 'x' }).then();
    given(siteDecider, ...kept, discarding, discarded).when({ type: 'FailDiscard', operationId: 'd', step: 's', error: 'e' }).then();
    given(siteDecider, ...kept).when({ type: 'FinishDiscard', operationId: 'remove' }).then();
  });
  it('does not bring its site back to anything', () => {
    expect(given(siteDecider, ...kept, discarding, discarded).state()).toMatchObject({ status: 'DESTROYED' });
    for (const action of ['start', 'repair']) given(siteDecider, ...kept).when({ type: 'SwitchSite', operationId: 'o', action }).refused('conflict', /DESTROYED/);
  });
});

describe("a WordPress site's passwords", () => {
  const other = '0190b4c6-7f3e-7c3a-9a57-ba9876543210';
  const wordpress = { phpVersion: '8.3', title: 'B', adminUser: 'admin', adminEmail: '', locale: '', database: 'shared' };
  const blog = (dataId = ''): SiteEvent => ({ type: 'SiteRequested', data: { ...request, kind: 'wordpress', app: undefined, wordpress, dataId } });
  const destroying = (keepData: boolean): SiteEvent => ({ type: 'SiteDestroyRequested', data: { ...ids('remove'), keepData } });
  const gone: SiteEvent = { type: 'SiteDestroyed', data: ids('remove') };
  const forget = (dataId: string): SiteEvent => ({ type: 'ForgetSecrets', data: { projectId: 'p', names: [databasePasswordKey(dataId), adminPasswordKey(dataId)] } });
  const finish: SiteCommand = { type: 'FinishDestroy', operationId: 'remove' };
  const restoring: SiteEvent = { type: 'SiteRestoreRequested', data: { ...ids('r'), backupId: 'k', dataId: other, releaseId: '', content: undefined } };

  it('are forgotten with its data, whenever that goes', () => {
    given(siteDecider, blog(), started, active, destroying(false)).when(finish).then(gone, forget(siteId));
    given(siteDecider, blog(), started, failed, destroying(false)).when(finish).then(gone, forget(siteId));
    given(siteDecider, blog(), started, failed, destroying(true)).when(finish).then(gone, forget(siteId));
    given(siteDecider, blog(other), started, active, destroying(false)).when(finish).then(gone, forget(other));
    given(siteDecider, blog(), started, active, destroying(true), gone, discarding).when({ type: 'FinishDiscard', operationId: 'd' }).then(discarded, forget(siteId));
  });
  it('stay with data that is kept', () => given(siteDecider, blog(), started, active, destroying(true)).when(finish).then(gone));
  it('stay where a restore brings the data that is there', () => {
    for (const dataId of ['', siteId]) {
      const again = { ...restoring, data: { ...restoring.data, dataId } } as SiteEvent;
      given(siteDecider, blog(), started, active, again).when({ type: 'FinishRestore', operationId: 'r', target: undefined }).thenTypes('SiteRestored');
      given(siteDecider, blog(), started, active, again).when({ type: 'FailRestore', operationId: 'r', step: 'data', error: 'no' }).thenTypes('SiteRestoreFailed');
    }
  });
  it('of the data that a backup took the place of go with that, or with the data that did not come', () => {
    given(siteDecider, blog(), started, active, restoring).when({ type: 'FinishRestore', operationId: 'r', target: undefined }).then({ type: 'SiteRestored', data: { ...ids('r'), backupId: 'k', dataId: other, releaseId: '', content: undefined, target: undefined } }, forget(siteId));
    given(siteDecider, blog(), started, active, restoring).when({ type: 'FailRestore', operationId: 'r', step: 'data', error: 'no' }).then({ type: 'SiteRestoreFailed', data: { ...ids('r'), backupId: 'k', step: 'data', error: 'no' } }, forget(other));
  });
});
