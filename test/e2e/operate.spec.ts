import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { type SiteView } from '../support/api.js';
import { tarGz } from '../support/archives.js';
import { startPlane, type Plane } from '../support/plane.js';

let plane: Plane;
beforeAll(async () => {
  plane = await startPlane({ env: { HOSTPLANE_DOCKER: 'off' } });
  for (const name of ['one', 'two', 'three']) {
    const created = await plane.api.call<SiteView>('POST', '/sites', { name, kind: 'static' });
    await plane.api.call('PUT', `/sites/${created.body.id}/content`, await tarGz({ 'index.html': name }));
    if (name === 'two') await plane.operation(String((await plane.api.call('POST', `/sites/${created.body.id}/stop`)).body['operationId']), 'succeeded');
    if (name === 'three') await plane.api.call('DELETE', `/sites/${created.body.id}`);
    await plane.api.settled(created.body.id, [name === 'three' ? 'DESTROYED' : 'ACTIVE']);
  }
});
afterAll(async () => plane?.stop());

/** `npm run operate -- …` for the test's plane. */
function operate(...words: string[]): { code: number | null; said: string } {
  const done = spawnSync(process.execPath, [join(import.meta.dirname, '../../dist/infra/start/operate.js'), ...words], { env: { ...process.env, HOSTPLANE_DATA: plane.folder, NO_COLOR: '1' }, encoding: 'utf8' });
  return { code: done.status, said: done.stdout + done.stderr };
}

it('the read model that grew live equals one that is built from position 0, before and after it is swapped in', () => {
  expect(operate('compare')).toMatchObject({ code: 0, said: expect.stringContaining('equal to the log') });
  expect(operate('rebuild')).toMatchObject({ code: 0, said: expect.stringContaining('swapped in') });
  expect(operate('compare')).toMatchObject({ code: 0, said: expect.stringContaining('equal to the log') });
});

it('a rebuilt plane shows what it showed before, and goes on', async () => {
  const { body: before } = await plane.api.call('GET', '/sites?limit=50');
  operate('rebuild');
  expect((await plane.api.call('GET', '/sites?limit=50')).body).toEqual(before);
  const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'later', kind: 'static' });
  expect(await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED'])).toMatchObject({ status: 'ACTIVE' });
  expect(operate('compare').code).toBe(0);
});

it('there are no dead letters', () => {
  expect(operate('dead-letters')).toEqual({ code: 0, said: expect.stringContaining('There are no dead letters.') });
});

it('the chain of the log is whole, until somebody with the rights of an administrator changes a message', async () => {
  expect(operate('verify')).toMatchObject({ code: 0, said: expect.stringContaining('whole and unchanged') });
  const admin = new pg.Client({ connectionString: plane.databaseUrl });
  await admin.connect();
  const { rows: [row] } = await admin.query<{ seq: string; data: string }>("SELECT seq, data FROM log.messages WHERE type = 'SiteRequested' LIMIT 1");
  await admin.query("SET session_replication_role = 'replica'");
  await admin.query('UPDATE log.messages SET data = $2 WHERE seq = $1', [row?.seq, row?.data.replace('"admin"', '"nobody"')]);
  await admin.end();
  expect(operate('verify')).toMatchObject({ code: 1, said: expect.stringContaining(`position ${row?.seq}`) });
});

it('a wrong word is answered with what there is', () => {
  expect(operate('fly')).toMatchObject({ code: 2, said: expect.stringContaining('dead-letters resend <id>') });
});
