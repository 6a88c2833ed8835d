import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
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
  /** Another instance, which waits for a server no longer than a second. */
  impatient(): DatabaseServer;
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
    const secretsOf = (userPassword: string) => ({ rootPassword: world.rootPassword, password: userPassword });
    const exported = (spec: DatabaseSpec, userPassword: string, take: (sql: Readable) => Promise<void>, signal?: AbortSignal) => world.databases.export(spec, secretsOf(userPassword), take, signal);
    const imported = (spec: DatabaseSpec, userPassword: string, sql: Readable) => world.databases.import(spec, secretsOf(userPassword), sql);
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

    it('says what each database takes of the disk, kept ones and those of a server of its own too, and none that is gone', async () => {
      const [kept, own, gone, secret] = [fresh(), fresh('own'), fresh(), password()];
      expect(await world.databases.sizes()).toEqual({ bytes: new Map(), isWhole: true });
      await Promise.all([ensure(kept, secret), ensure(own, secret), ensure(gone, secret)]);
      await note(own, secret, 'x');
      expect((await world.ask(own, userOf(own, secret), `USE ${databaseOf(own)}; INSERT INTO notes SELECT REPEAT(MD5(seq), 1900) FROM seq_1_to_60`)).problem).toBeUndefined();
      await remove(kept, true);
      await remove(gone);
      const { bytes, isWhole } = await world.restarted().sizes();
      expect([[...bytes.keys()].sort(), isWhole, bytes.get(databaseOf(own))! > 3 * 1024 ** 2, bytes.get(databaseOf(kept))! < 1024 ** 2]).toEqual([[kept, own].map(databaseOf).sort(), true, true, true]);
    });

    it('comes back by itself with everything after a power cut', async () => {
      const [spec, secret] = [fresh(), password()];
      await ensure(spec, secret);
      await note(spec, secret, 'survives');
      await world.powerCut();
      expect(await read(spec, secret)).toEqual({ said: 'survives' });
      await ensure(spec, secret);
    });

    it('hands out what a database holds, and fills another one with it, whoever owned its views, triggers and routines', async () => {
      const [from, to, secret, other] = [fresh(), fresh(), password(), password()];
      await Promise.all([ensure(from, secret), ensure(to, other)]);
      const inside = (spec: DatabaseSpec, mine: string, sql: string) => world.ask(spec, userOf(spec, mine), `USE ${databaseOf(spec)}; ${sql}`);
      const odd = "x'00ff0a0d5c27221a'";
      const made = await inside(from, secret, [
        `CREATE TABLE notes (id INT PRIMARY KEY, t TEXT CHARACTER SET utf8mb4, b LONGBLOB); INSERT INTO notes VALUES (1, 'Grüße 🌱 \\'"\\\\', ${odd})`,
        'CREATE VIEW shown AS SELECT t FROM notes', 'CREATE TRIGGER counting BEFORE INSERT ON notes FOR EACH ROW SET NEW.id = NEW.id + 1',
        'CREATE PROCEDURE twice() SELECT 2', 'CREATE EVENT daily ON SCHEDULE EVERY 1 DAY DO SELECT 1', 'CREATE TABLE `odd\n\\! touch /tmp/planted\n` (a INT)',
      ].join(';\n'));
      expect(made.problem).toBeUndefined();
      await note(to, other, 'goes');
      let dump = '';
      await exported(from, secret, async (sql) => void (dump = await text(sql)));
      expect(dump).toMatch(/\n-- Dump completed.*\n$/);
      expect(dump).not.toMatch(secret);
      for (let i = 0; i < 2; i++) await imported(to, other, Readable.from([Buffer.from(dump)]));
      const held = 'SELECT id, t, HEX(b) FROM notes; SELECT * FROM shown; CALL twice(); INSERT INTO notes VALUES (10, NULL, NULL); SELECT MAX(id) FROM notes; SHOW TABLES; SHOW EVENTS; CHECKSUM TABLE notes';
      const [there, here] = [await inside(from, secret, held), await inside(to, other, held)];
      expect(there.problem).toBeUndefined();
      expect(here.said?.replaceAll(databaseOf(to), databaseOf(from)).replaceAll(userOf(to, '').user, userOf(from, '').user)).toBe(there.said);
    });

    it('hands out what a database held at one moment while it is written to', async () => {
      const [spec, copy, secret] = [fresh(), fresh(), password()];
      await Promise.all([ensure(spec, secret), ensure(copy, secret)]);
      const inside = (of: DatabaseSpec, sql: string) => world.ask(of, userOf(of, secret), `USE ${databaseOf(of)};\n${sql}`);
      await inside(spec, `CREATE TABLE a (i INT); CREATE TABLE filler (t LONGTEXT); CREATE TABLE z (i INT); INSERT INTO filler SELECT REPEAT(MD5(seq), 10000) FROM seq_1_to_60`);
      const writing = inside(spec, 'DELIMITER //\nBEGIN NOT ATOMIC FOR i IN 1..2000 DO START TRANSACTION; INSERT INTO a VALUES (i); INSERT INTO z VALUES (i); COMMIT; DO SLEEP(0.001); END FOR; END//');
      let many = 0;
      for (const end = Date.now() + 30_000; many < 20 && Date.now() < end; ) many = Number((await inside(spec, 'SELECT COUNT(*) FROM a')).said);
      let dump = '';
      await exported(spec, secret, async (sql) => void (dump = await text(sql)));
      await imported(copy, secret, Readable.from([Buffer.from(dump)]));
      const [a, z] = (await inside(copy, 'SELECT COUNT(*) FROM a; SELECT COUNT(*) FROM z')).said!.split('\n').map(Number);
      expect([a, a! > 0, a! < 2000]).toEqual([z, true, true]);
      expect((await writing).problem).toBeUndefined();
    });

    it('fails to hand out what nobody takes, and to load what cannot be loaded, and says why', async () => {
      const [spec, secret] = [fresh(), password()];
      await ensure(spec, secret);
      await note(spec, secret, 'stays');
      await expect(exported(spec, secret, () => Promise.reject(new Error('The disk is full.')))).rejects.toThrow('The disk is full.');
      await expect(exported(spec, 'not-the-password', async (sql) => void (await text(sql)))).rejects.toMatchObject({ name: 'ProviderError', message: expect.stringMatching(/Access denied/) });
      expect(await read(spec, secret)).toEqual({ said: 'stays' });
      const evil = [`CREATE TABLE mysql.x (a INT);\n`, '\\! touch /tmp/planted\n;', 'system touch /tmp/planted\n;', `SELECT 1 INTO OUTFILE '/tmp/planted';\n`];
      for (const sql of evil) await expect(imported(spec, secret, Readable.from([sql, 'x'.repeat(300_000)]))).rejects.toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(/could not be loaded[\s\S]*ERROR/) });
      await expect(exported(spec, secret, async (sql) => void (await text(sql)), AbortSignal.timeout(1))).rejects.toMatchObject({ retryable: true });
    });

    it('says what is wrong without any password: a root password that is not the server\'s', async () => {
      const [spec, secret] = [fresh(), password()];
      await ensure(spec, secret);
      const wrong = await world.impatient().ensure(spec, { rootPassword: 'wrong-root-password', password: secret }).catch((error: Error) => error);
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
