import { expect, it } from '@jest/globals';
import type { StoredMessage } from '#contracts/message.js';
import { RecordedUsage } from './recorded-usage.projection.js';

const message = (type: string, data: object) => ({ type, data }) as StoredMessage;
const measured = (hostId: string, bytes: number) => message('UsageMeasured', { projectId: 'p', hostId, data: [{ name: 'v', dataId: 'a', role: 'data', bytes }] });

it('knows what was recorded last of this host, and of no other', () => {
  const usage = new RecordedUsage('local');
  usage.apply([measured('local', 1), measured('local', 2), measured('elsewhere', 3)]);
  expect([usage.of('p'), usage.of('q'), [...usage.all.keys()]]).toEqual([[expect.objectContaining({ bytes: 2 })], [], ['p']]);
});

it.each([
  ['WorkloadInstalled', 'local', true], ['WorkloadRemoved', 'local', true], ['BackupRestored', 'local', true], ['DataRemoved', 'local', true],
  ['BackupRestored', 'elsewhere', false], ['WorkloadReady', 'local', false], ['BackupTaken', 'local', false],
])('after %s on %s another look is due: %p', (type, hostId, isStale) => {
  const usage = new RecordedUsage('local');
  usage.isStale = false;
  usage.apply([message(type, { hostId })]);
  expect(usage.isStale).toBe(isStale);
});
