import { describe, expect, it } from '@jest/globals';
import type { MessageOf } from '#contracts/registry.js';
import { given } from '../../../test/support/given.js';
import { backupDecider } from './backup.js';
import { expiredBackups } from './retention.js';

const backup = { backupId: 'b', operationId: 'o', siteId: 's', projectId: 'p', ownerId: 'ann', hostId: 'local', siteName: 'shop', kind: 'app', releaseId: '', content: undefined };
const ref = { backupId: 'b', target: 'local', key: 'p/s/b.tar', sha256: 'a'.repeat(64), sizeBytes: 9 };
const ids = { backupId: 'b', siteId: 's' };
const requested: MessageOf<'BackupRequested'> = { type: 'BackupRequested', data: backup };
const completed: MessageOf<'BackupCompleted'> = { type: 'BackupCompleted', data: { ...ids, operationId: 'o', ref, durationMs: 5, frozenMs: 2 } };
const removing: MessageOf<'BackupRemovalRequested'> = { type: 'BackupRemovalRequested', data: { ...ids, operationId: 'r', projectId: 'p', reason: 'requested' } };

describe('a backup', () => {
  it('is requested once, and taken by the operation that was asked to', () => {
    given(backupDecider).when({ type: 'RequestBackup', backup }).then(requested);
    given(backupDecider, requested).when({ type: 'CompleteBackup', operationId: 'o', ref, durationMs: 5, frozenMs: 2 }).then(completed);
    given(backupDecider, requested).when({ type: 'CompleteBackup', operationId: 'another', ref, durationMs: 5, frozenMs: 2 }).then();
  });
  it('fails with the step and the reason', () => {
    given(backupDecider, requested).when({ type: 'AbandonBackup', operationId: 'o', step: 'take', error: 'away' }).then({ type: 'BackupAbandoned', data: { ...ids, operationId: 'o', step: 'take', error: 'away' } });
  });
  it('is not deleted while it is taken, and afterwards once', () => {
    given(backupDecider).when({ type: 'DeleteBackup', operationId: 'r', reason: 'requested' }).refused('not-found');
    given(backupDecider, requested).when({ type: 'DeleteBackup', operationId: 'r', reason: 'requested' }).refused('conflict', /being taken/);
    given(backupDecider, requested, completed).when({ type: 'DeleteBackup', operationId: 'r', reason: 'requested' }).then(removing);
    given(backupDecider, requested, completed, removing).when({ type: 'DeleteBackup', operationId: 'later', reason: 'retention' }).then();
    given(backupDecider, requested, completed, removing).when({ type: 'FinishRemoval', operationId: 'r' }).then({ type: 'BackupDeleted', data: { ...ids, operationId: 'r' } });
  });
  it('is there still when it could not be deleted, and can be deleted again', () => {
    const failed: MessageOf<'BackupRemovalFailed'> = { type: 'BackupRemovalFailed', data: { ...ids, operationId: 'r', error: 'away' } };
    given(backupDecider, requested, completed, removing).when({ type: 'FailRemoval', operationId: 'r', error: 'away' }).then(failed);
    const again = given(backupDecider, requested, completed, removing, failed);
    expect(again.state()).toMatchObject({ status: 'taken', ref });
    again.when({ type: 'DeleteBackup', operationId: 'r2', reason: 'requested' }).thenTypes('BackupRemovalRequested');
  });
});

describe('retention', () => {
  const day = 86_400_000;
  const taken = [9, 1, 5, 3].map((daysAgo) => ({ backupId: `${daysAgo} days ago`, takenAtMs: -daysAgo * day }));
  it.each([
    [{ most: 0, days: 0 }, []],
    [{ most: 2, days: 0 }, ['9 days ago', '5 days ago']],
    [{ most: 0, days: 4 }, ['9 days ago', '5 days ago']],
    [{ most: 3, days: 2 }, ['9 days ago', '5 days ago', '3 days ago']],
    [{ most: 1, days: 0 }, ['9 days ago', '5 days ago', '3 days ago']],
  ])('%j', (retention, expired) => expect(expiredBackups(taken, retention, 0)).toEqual(expired));
  it('never takes the newest, however old it is', () => expect(expiredBackups([{ backupId: 'old', takenAtMs: 0 }], { most: 1, days: 1 }, 1000 * day)).toEqual([]));
});
