import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { DatabaseSpec } from '#contracts/gen/hostplane/v1/database.js';
import { listenToProbes } from '#contracts/probe.js';
import { databaseUser, wordpressDatabase } from '#domain/naming/naming.js';
import type { DatabaseServer } from '../databases.js';
import { killedAt } from './site-runtime.contract.js';

/** Database servers with the real world around them, and a look at that world that does not go through them. */
export interface DatabaseWorld {
  readonly databases: DatabaseServer;
  /** Another instance over the same world, as after a crash of the process. */
  restarted(): DatabaseServer;
  /** A database of a site in a project of its own, on the shared server. */
  freshSpec(server?: 'shared' | 'own'): DatabaseSpec;
  readonly rootPassword: string;
  /** Signs in as a site's workload would and runs SQL; what was said, or why not. */
  ask(spec: DatabaseSpec, as: { user: string; password: string }, sql: string): Promise<{ said?: string; problem?: string }>;
  /** Stops and starts the machine under the servers. */
  powerCut(): Promise<void>;
  /** Everything of this plane in the world, by name. */
  leftovers(): Promise<string[]>;
  close(): Promise<void>;
}

/** What every database server promises in libs/providers/databases.ts. */
export function databaseContract(name: string, open: () => Promise<DatabaseWorld>): void {
  describe(`databases of ${name}`, () => {
    let world: DatabaseWorld;
    const made: DatabaseSpec[] = [];
    beforeAll(async () => void (world = await open()));
    afterAll(() => world.close());
    afterEach(async () => {
      listenToProbes(() => {});
      for (const spec of made.splice(0)) await remove(spec);
      expect(await world.leftovers()).toEqual([]);
    });

    const fresh = (server?: 'shared' | 'own') => {
      const spec = world.freshSpec(server);
      made.push(spec);
      return spec;
    };
    const password = () => randomBytes(12).toString('hex');
    const ensure = (spec: DatabaseSpec, userPassword: string, databases = world.databases) => databases.ensure(spec, { rootPassword: world.rootPassword, password: userPassword });
    const remove = (spec: DatabaseSpec, keepData = false, databases = world.databases) => databases.remove(spec, keepData, async () => world.rootPassword);
    const userOf = (spec: DatabaseSpec, secret: string) => ({ user: databaseUser(spec.dataId || spec.siteId), password: secret });
    const databaseOf = (spec: DatabaseSpec) => wordpressDatabase(spec.dataId || spec.siteId);
    const note = (spec: DatabaseSpec, secret: string, text: string) => world.ask(spec, userOf(spec, secret), `CREATE TABLE ${databaseOf(spec)}.notes (t TEXT); INSERT INTO ${databaseOf(spec)}.notes VALUES ('${text}')`);
    const read = (spec: DatabaseSpec, secret: string) => world.ask(spec, userOf(spec, secret), `SELECT t FROM ${databaseOf(spec)}.notes`);

    it('makes a database whose user signs in with the password, keeps what is in it, and follows a new password', async () => {
      const [spec, first, second] = [fresh(), password(), password()];
      await ensure(spec, first);
      await note(spec, first, 'kept');
      await Promise.all([1, 2, 3].map(() => ensure(spec, first)));
      expect(await read(spec, first)).toEqual({ said: 'kept' });
      await ensure(spec, second, world.restarted());
      expect(await read(spec, second)).toEqual({ said: 'kept' });
      expect((await read(spec, first)).problem).toMatch(/Access denied/);
    });

    it('takes any password as it is', async () => {
      const [spec, odd] = [fresh(), `'\\"; DROP DATABASE mysql; -- \`%_$é`];
      await ensure(spec, odd);
      expect(await world.ask(spec, userOf(spec, odd), 'SELECT 1')).toEqual({ said: '1' });
    });

    it('keeps sites apart: a user sees its own database and no other, and may not administrate', async () => {
      const [a, b, secret] = [fresh(), fresh(), password()];
      await Promise.all([ensure(a, secret), ensure(b, secret)]);
      await note(b, secret, 'of b');
      expect((await world.ask(a, userOf(a, secret), 'SHOW DATABASES')).said).toBe(`${databaseOf(a)}\ninformation_schema`);
      for (const sql of [`SELECT * FROM ${databaseOf(b)}.notes`, 'SELECT * FROM mysql.user', 'CREATE DATABASE other', "CREATE USER x@localhost IDENTIFIED BY 'x'", 'SHUTDOWN', "SELECT LOAD_FILE('/etc/passwd') INTO OUTFILE '/tmp/x'"]) {
        expect([sql, (await world.ask(a, userOf(a, secret), sql)).problem]).toEqual([sql, expect.stringMatching(/denied/)]);
      }
    });

    it('gives a project that asks for it a server of its own', async () => {
      const [shared, own, secret] = [fresh(), fresh('own'), password()];
      await Promise.all([ensure(shared, secret), ensure(own, secret)]);
      expect((await world.ask(own, userOf(shared, secret), 'SELECT 1')).problem).toMatch(/Access denied/);
      expect(await world.ask(own, userOf(own, secret), 'SELECT 1')).toEqual({ said: '1' });
    });

    it('removes twice, removes what was never there, and makes it again, empty', async () => {
      const [spec, secret] = [fresh(), password()];
      await remove(spec);
      await ensure(spec, secret);
      await note(spec, secret, 'gone');
      await remove(spec);
      await remove(spec, false, world.restarted());
      await ensure(spec, secret);
      expect((await read(spec, secret)).problem).toMatch(/doesn't exist/);
    });

    it('removes one and leaves the others', async () => {
      const [one, other, secret] = [fresh(), fresh(), password()];
      await Promise.all([ensure(one, secret), ensure(other, secret)]);
      await note(other, secret, 'stays');
      await remove(one);
      expect(await read(other, secret)).toEqual({ said: 'stays' });
      expect((await world.ask(other, userOf(one, secret), 'SELECT 1')).problem).toMatch(/Access denied/);
    });

    it('keeps the data on request, lets nobody in meanwhile, and gives it to the site that takes it over', async () => {
      const [spec, secret] = [fresh(), password()];
      await ensure(spec, secret);
      await note(spec, secret, 'kept');
      await remove(spec, true);
      await remove(spec, true);
      expect((await read(spec, secret)).problem).toMatch(/locked/);
      const heir = { ...world.freshSpec(), projectId: spec.projectId, dataId: spec.siteId };
      made.push(heir);
      await ensure(heir, secret);
      expect(await read(heir, secret)).toEqual({ said: 'kept' });
    });

    it('comes back by itself with everything after a power cut', async () => {
      const [spec, secret] = [fresh(), password()];
      await ensure(spec, secret);
      await note(spec, secret, 'survives');
      await world.powerCut();
      expect(await read(spec, secret)).toEqual({ said: 'survives' });
      await ensure(spec, secret);
    });

    it('says what is wrong without any password: a root password that is not the server\'s', async () => {
      const [spec, secret] = [fresh(), password()];
      await ensure(spec, secret);
      const wrong = await world.databases.ensure(spec, { rootPassword: 'wrong-root-password', password: secret }).catch((error: Error) => error);
      expect(wrong).toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(/Access denied/) });
      expect((wrong as Error).message).not.toMatch(`wrong-root-password|${secret}`);
    });

    it('stops working when it is called off', async () => {
      await expect(world.databases.ensure(fresh(), { rootPassword: world.rootPassword, password: 'x' }, AbortSignal.abort())).rejects.toMatchObject({ name: 'ProviderError', retryable: true });
    });

    it('is killed anywhere while it makes a database: ensure puts it right, and so does remove', async () => {
      for (let nth = 1; ; nth++) {
        const [spec, secret] = [fresh(), password()];
        const passed = await killedAt(nth, () => ensure(spec, secret, world.restarted()));
        if (nth % 2 === 0) {
          await ensure(spec, secret, world.restarted());
          expect([passed, await world.ask(spec, userOf(spec, secret), 'SELECT 1')]).toEqual([passed, { said: '1' }]);
        }
        await remove(spec, false, world.restarted());
        expect([passed, await world.leftovers()]).toEqual([passed, []]);
        if (passed.length < nth) break;
      }
    }, 300_000);

    it('is killed anywhere while it removes: remove again leaves nothing', async () => {
      for (let nth = 1; ; nth++) {
        const [spec, secret] = [fresh(), password()];
        await ensure(spec, secret);
        const passed = await killedAt(nth, () => remove(spec, false, world.restarted()));
        await remove(spec, false, world.restarted());
        expect([passed, await world.leftovers()]).toEqual([passed, []]);
        if (passed.length < nth) break;
      }
    }, 300_000);
  });
}
