import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Cause } from '#contracts/message.js';
import type { MessageOf } from '#contracts/registry.js';
import type { Decider } from '#domain/decider.js';
import { Refusal } from '#domain/refusal.js';
import { META } from '../../test/support/messages.js';
import { startPostgres, type TestDatabase } from '../../test/support/postgres.js';
import { stateAt } from './audit.js';
import { EventStore } from './event-store.js';
import { handle, loadState, on } from './handle.js';

let database: TestDatabase;
let store: EventStore;

beforeAll(async () => {
  database = await startPostgres();
  store = new EventStore({ connectionString: database.urlOf('api-gateway'), app: 'api-gateway' });
});
afterAll(async () => {
  await store?.close();
  await database?.stop();
});

type Ask = 'issue' | 'revoke';
/** Counts how often a token was issued; revoking one that is not there is refused. */
const token = (key: string): Decider<{ issued: number }, Ask, 'TokenIssued' | 'TokenRevoked'> => ({
  category: 'token',
  initial: { issued: 0 },
  decide: (ask, state) => {
    if (ask === 'revoke' && state.issued === 0) throw new Refusal('not-found', `There is no token "${key}".`);
    if (ask === 'revoke') return [{ type: 'TokenRevoked', data: { tokenId: key } }];
    const data: MessageOf<'TokenIssued'>['data'] = { tokenId: key, ownerId: 'o', name: String(state.issued + 1), tokenHash: '', scopes: [], projects: [], verbs: [], expiresAt: '' };
    return state.issued < 50 ? [{ type: 'TokenIssued', data }] : [];
  },
  evolve: (state, message) => (message.type === 'TokenIssued' ? { issued: state.issued + 1 } : state),
});
const cause = (): Cause => ({ id: randomUUID(), meta: META });
const issue = (key: string) => on(token(key), key, 'issue');

describe('handle', () => {
  it('appends what the decider decides, caused by the cause', async () => {
    const because = cause();
    const handled = await handle(store, because, [issue('a')], { actor: 'system:test' });
    expect(handled).toMatchObject({ duplicate: false, states: [{ issued: 1 }] });
    expect(handled.messages).toMatchObject([{ kind: 'event', version: 1, meta: { causationId: because.id, actor: 'system:test' } }]);
    expect(await store.readStream('token/a')).toEqual(handled.messages);
  });

  it('does a cause once, whichever way it comes again', async () => {
    const because = cause();
    const [first, second] = await Promise.all([handle(store, because, [issue('b'), issue('c')]), handle(store, because, [issue('b'), issue('c')])]);
    expect([first.duplicate, second.duplicate].sort()).toEqual([false, true]);
    expect(first.position).toBe(second.position);
    expect(first.messages).toEqual(second.messages);
    expect(first.messages.map((m) => m.streamId)).toEqual(['token/b', 'token/c']);
    expect(await handle(store, because, [issue('c')])).toMatchObject({ duplicate: true, position: first.position });
  });

  it('decides again when somebody else was quicker', async () => {
    await Promise.all(Array.from({ length: 8 }, () => handle(store, cause(), [issue('d')])));
    expect((await loadState(store, token('d'), 'd'))).toMatchObject({ state: { issued: 8 }, version: 8 });
    expect((await store.readStream('token/d')).map((m) => (m as { data: { name: string } }).data.name)).toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
  });

  it('passes on a refusal and appends nothing, not even of the other parts', async () => {
    const before = await store.head();
    const refused = handle(store, cause(), [issue('e'), on(token('f'), 'f', 'revoke')]);
    await expect(refused).rejects.toThrow('There is no token "f".');
    expect(await store.head()).toBe(before);
  });

  it('answers with the last position read when nothing follows', async () => {
    const quiet = { ...token('d'), decide: () => [] };
    const { position } = await loadState(store, token('d'), 'd');
    expect(await handle(store, cause(), [on(quiet, 'd', 'issue')])).toEqual({ duplicate: false, position, messages: [], states: [{ issued: 8 }] });
  });
});

describe('stateAt', () => {
  it('says what a resource was at an earlier position', async () => {
    const messages = await store.readStream('token/d');
    expect((await stateAt(store, token('d'), 'd', messages[2]!.position)).state).toEqual({ issued: 3 });
  });
});
