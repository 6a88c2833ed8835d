import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import pg from 'pg';
import { readConfig } from '#boot/config.js';
import { nestLogger, type Logger } from '#boot/logger.js';
import type { AppContext, Running } from '#boot/process.js';
import { schemaOf } from '#eventstore/apps.js';
import { EventStore } from '#eventstore/event-store.js';
import { BusClient } from '#messaging/bus-client.js';
import { Refusal } from '#domain/refusal.js';
import { apiGatewayConfig } from './api-gateway.config.js';
import { ApiGatewayModule } from './api-gateway.module.js';
import { ContentPoller } from './content.poller.js';
import { close, dress, httpAdapter } from './http-server.js';
import { Metrics } from './metrics.js';
import { ReadModel } from './read-model.js';
import { makeSideTables } from './side-tables.js';
import { TimelineStream } from './timeline.stream.js';
import { newSecret, TokenCommands } from './token.commands.js';
import { TokenBook } from './tokens.queries.js';

const SCHEMA = schemaOf('api-gateway');

/** Starts the gateway: HTTP in. Stops with what is under way answered. */
export async function start({ env, log }: AppContext): Promise<Running> {
  const config = readConfig(apiGatewayConfig, env);
  const databaseUrl = config.HOSTPLANE_API_GATEWAY_DATABASE_URL;
  const bus = await BusClient.connect({ url: config.HOSTPLANE_API_GATEWAY_NATS_URL, app: 'api-gateway', log: nestLogger(log) });
  const store = new EventStore({ connectionString: databaseUrl, app: 'api-gateway', onAppended: (position) => bus.ring(position) });
  const db = poolOf(databaseUrl, log);
  await makeSideTables(db, SCHEMA);
  const readModel = new ReadModel(store, db, SCHEMA, log);
  const unring = bus.onDoorbell((position) => readModel.wake(position));
  await readModel.start();

  const module = ApiGatewayModule.with({ config, log, db, store, bus, readModel });
  const app = await NestFactory.create<NestFastifyApplication>(module, httpAdapter(), { logger: nestLogger(log), bodyParser: false, abortOnError: false });
  const tokens = app.get(TokenBook);
  await dress(app, { log, tokens, metrics: app.get(Metrics), requestsPerMinute: config.HOSTPLANE_REQUESTS_PER_MINUTE });
  await ensureAdmin(app.get(TokenCommands), tokens, config.HOSTPLANE_ADMIN_TOKEN, log);
  const stream = app.get(TimelineStream);
  const poller = app.get(ContentPoller);
  stream.start();
  poller.start();
  await app.listen(config.HOSTPLANE_API_PORT, config.HOSTPLANE_BIND);
  log.info({ url: await app.getUrl() }, 'The API listens');
  return {
    async stop() {
      readModel.announceStop();
      poller.stop();
      stream.stop();
      await close(app);
      unring();
      await readModel.stop();
      await bus.close();
      await store.close();
      await db.end();
    },
  };
}

/** Somebody must be able to come in: the token that is configured, or one that is made and printed once. */
async function ensureAdmin(commands: TokenCommands, tokens: TokenBook, configured: string | undefined, log: Logger): Promise<void> {
  if (configured) {
    await commands.ensureAdmin(configured, 'from the configuration').catch((error: unknown) => {
      if (!(error instanceof Refusal)) throw error;
      log.error(`HOSTPLANE_ADMIN_TOKEN does not let anybody in: ${error.message}`);
    });
    return;
  }
  if (await tokens.hasAdmin()) return;
  const token = newSecret();
  await commands.ensureAdmin(token, 'first admin');
  // To the person who starts it, not to the log.
  process.stdout.write(`\nThe first admin token, shown only now:\n\n  ${token}\n\n`);
}

function poolOf(connectionString: string, log: Logger): pg.Pool {
  // Positions fit a number for as long as anybody lives; the driver would give them as text.
  const types: pg.CustomTypesConfig = { getTypeParser: (id, format) => (id === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(id, format)) as never };
  // Nothing here is a fact: what a crash of the server takes back comes again from the log, or from a request whose ids are the same. So nobody waits for the disk.
  const options = '-c synchronous_commit=off';
  const db = new pg.Pool({ connectionString, application_name: 'api-gateway read model', options, max: 10, keepAlive: true, types, connectionTimeoutMillis: 5_000 });
  // A connection that is lost while it is in use fails its query; without a listener it would end the process too.
  db.on('connect', (client) => client.on('error', () => undefined));
  db.on('error', (err) => log.warn({ err }, 'A connection to the read model was lost'));
  return db;
}
