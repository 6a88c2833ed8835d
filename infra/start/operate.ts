import { existsSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { ConfigError } from '#boot/config.js';
import { APPS, schemaOf } from '#eventstore/apps.js';
import { EventStore } from '#eventstore/event-store.js';
import { Projection } from '#eventstore/projection.js';
import { verify } from '#eventstore/verify.js';
import { connectBus } from '#messaging/connection.js';
import { DeadLetters } from '#messaging/dead-letters.js';
import { BUS_USERS } from '#messaging/subjects.js';
import { gatewayProjection } from '../../apps/api-gateway/gateway.projection.js';
import { databaseUrls } from './addresses.js';
import { credentials } from './credentials.js';
import { serversFile, type Servers } from './plane.js';
import { consoleSay } from './say.js';
import { readSettings } from './settings.js';

const USAGE = `npm run operate -- <what>, on the machine of a running plane, as the user who started it:
  verify                    check the log's hash chain, message by message
  compare                   whether a rebuild of the read model from the log would give what is there now
  rebuild                   build the read model anew beside the live one, and swap it in
  dead-letters              list the messages that were given up
  dead-letters resend <id>  hand one to its app again, and wait for the outcome
  dead-letters drop <id>    forget one; the log keeps the message itself`;

const say = consoleSay();

/** What an operator does with a running plane beside the public API: it needs the administrator's addresses, which the launcher keeps. */
async function main([what = '', ...rest]: readonly string[]): Promise<number> {
  const folder = readSettings(process.env).HOSTPLANE_DATA;
  const verbs: Record<string, (servers: Servers) => Promise<number>> = {
    verify: verifyLog,
    compare: (servers) => withReadModel(servers, folder, compareReadModel),
    rebuild: (servers) => withReadModel(servers, folder, rebuildReadModel),
    'dead-letters': (servers) => handleDeadLetters(servers, rest),
  };
  const verb = verbs[what];
  if (!verb) {
    say.line(USAGE);
    return what === '' || what === 'help' ? 0 : 2;
  }
  const file = serversFile(folder);
  if (!existsSync(file)) throw new ConfigError(`No plane runs on ${folder}: start it with npm start, or name its folder with HOSTPLANE_DATA.`);
  return verb(JSON.parse(readFileSync(file, 'utf8')) as Servers);
}

async function verifyLog({ databaseUrl }: Servers): Promise<number> {
  const step = say.step('log');
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const { messages, headHash, fault } = await verify(client, (checked, of) => step.note(`${checked} of ${of} messages`)).finally(() => client.end());
  if (!fault) step.done(`${messages} messages, whole and unchanged; head ${headHash}`);
  else say.failed(`At position ${fault.position}, stream ${fault.streamId}: ${fault.what}.`);
  return fault ? 1 : 0;
}

async function withReadModel(servers: Servers, folder: string, use: (projection: Projection) => Promise<number>): Promise<number> {
  const secrets = credentials(folder, { postgres: ['admin', ...APPS], nats: BUS_USERS });
  const connectionString = databaseUrls(servers.databaseUrl, secrets)['HOSTPLANE_API_GATEWAY_DATABASE_URL'] ?? '';
  const store = new EventStore({ connectionString, app: 'operator' });
  const db = new pg.Pool({ connectionString, max: 3 });
  try {
    return await use(new Projection({ store, db, schema: schemaOf('api-gateway'), definition: gatewayProjection }));
  } finally {
    await store.close();
    await db.end();
  }
}

async function compareReadModel(projection: Projection): Promise<number> {
  const step = say.step('read model');
  const { position, isEqual, tables } = await projection.compare((progress) => step.note(`${progress.position} of ${progress.head} messages`));
  if (isEqual) step.done(`equal to the log up to position ${position}: ${tables.map(({ table, rows }) => `${rows} ${table}`).join(', ')}`);
  else for (const { table, onlyLive, onlyRebuilt } of tables) for (const row of [...onlyLive.map((line) => `- ${line}`), ...onlyRebuilt.map((line) => `+ ${line}`)]) say.failed(`${table} ${row}`);
  return isEqual ? 0 : 1;
}

async function rebuildReadModel(projection: Projection): Promise<number> {
  const step = say.step('read model');
  const { position, swapMs } = await projection.rebuild((progress) => step.note(`${progress.position} of ${progress.head} messages`));
  step.done(`rebuilt up to position ${position}, swapped in within ${swapMs.toFixed(1)} ms`);
  return 0;
}

async function handleDeadLetters({ natsUrl }: Servers, [verb = 'list', id = '']: readonly string[]): Promise<number> {
  const quiet = () => undefined;
  const connection = await connectBus({ url: natsUrl, name: 'operator' }, { log: quiet, warn: quiet, error: quiet });
  try {
    const letters = await DeadLetters.open(connection);
    if (verb === 'resend') await letters.resend(Number(id));
    else if (verb === 'drop') await letters.drop(Number(id));
    else {
      const list = await letters.list();
      for (const letter of list) say.line(`${letter.id}  ${letter.diedAt}  ${letter.message.type} at ${letter.position} (${letter.durable}, ${letter.deliveries} deliveries)  ${letter.reason}`);
      say.line(list.length === 0 ? 'There are no dead letters.' : `${list.length} dead letter(s); send one again with: dead-letters resend <id>`);
    }
    return 0;
  } finally {
    await connection.close();
  }
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    say.failed(error instanceof Error ? error.message : String(error));
    process.exit(1);
  },
);
