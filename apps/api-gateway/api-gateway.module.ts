import { join } from 'node:path';
import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import type { Pool } from 'pg';
import { Health } from '#boot/health.js';
import { usualQuota } from '#boot/quota.js';
import type { Logger } from '#boot/logger.js';
import { ContentStore } from '#content/content-store.js';
import type { EventStore } from '#eventstore/event-store.js';
import { schemaOf } from '#eventstore/apps.js';
import type { BusClient } from '#messaging/bus-client.js';
import { AnswerSender } from './answer.js';
import { ApiGatewayConfig } from './api-gateway.config.js';
import { AuthGuard } from './auth.guard.js';
import { BackupQueries } from './backups.queries.js';
import { BackupsController } from './backups.controller.js';
import { CertificateQueries } from './certificates.queries.js';
import { CertificatesController } from './certificates.controller.js';
import { ContentController } from './content.controller.js';
import { ContentPoller } from './content.poller.js';
import { ProjectChoice } from './default-project.js';
import { Domains, Lifecycle } from './deciding-apps.js';
import { DomainQueries } from './domains.queries.js';
import { DomainsController } from './domains.controller.js';
import { EdgeController } from './edge.controller.js';
import { EdgeHistory } from './edge-history.js';
import { EdgeRenderers } from './edge-renderers.js';
import { edgeRenderers } from './edge-renderers.module.js';
import { EdgeRulesController } from './edge-rules.controller.js';
import { EdgeRulesQueries } from './edge-rules.queries.js';
import { EventsController } from './events.controller.js';
import { HealthController } from './health.controller.js';
import { HostPoller } from './host.poller.js';
import { Hosts } from './hosts.js';
import { Idempotency } from './idempotency.js';
import { isolation } from './isolation.js';
import { LogOrigin } from './log-origin.js';
import { MemberQueries } from './members.queries.js';
import { MembersController } from './members.controller.js';
import { Metrics } from './metrics.js';
import { OperationQueries } from './operations.queries.js';
import { OperationsController } from './operations.controller.js';
import { ProblemFilter } from './problem.filter.js';
import { ProjectSwitch } from './project-switch.js';
import { ProjectQueries } from './projects.queries.js';
import { ProjectsController } from './projects.controller.js';
import { ReadModel } from './read-model.js';
import { SecretQueries } from './secrets.queries.js';
import { SecretsController } from './secrets.controller.js';
import { SiteQueries } from './sites.queries.js';
import { SitesController } from './sites.controller.js';
import { TimelineQueries } from './timeline.queries.js';
import { TimelineStream } from './timeline.stream.js';
import { TokenBook } from './tokens.queries.js';
import { TokenCommands } from './token.commands.js';
import { TokensController } from './tokens.controller.js';
import { Uploads } from './upload.js';
import { Vault } from './vault.js';
import { VolumesController } from './volumes.controller.js';

export interface GatewayParts {
  readonly config: ApiGatewayConfig;
  readonly log: Logger;
  readonly db: Pool;
  readonly store: EventStore;
  readonly bus: BusClient;
  readonly readModel: ReadModel;
}

const SCHEMA = schemaOf('api-gateway');

/** All wiring of the gateway. */
@Module({})
export class ApiGatewayModule {
  static with(parts: GatewayParts): DynamicModule {
    return {
      module: ApiGatewayModule,
      controllers: [ProjectsController, MembersController, SecretsController, SitesController, DomainsController, CertificatesController, EdgeController, EdgeRulesController, BackupsController, VolumesController, ContentController, OperationsController, EventsController, TokensController, HealthController],
      providers: [
        ...providersOf(parts),
        { provide: APP_GUARD, useClass: AuthGuard },
        { provide: APP_INTERCEPTOR, useClass: AnswerSender },
        { provide: APP_FILTER, useValue: new ProblemFilter(parts.log) },
      ],
    };
  }
}

function providersOf({ config, log, db, store, bus, readModel }: GatewayParts): Provider[] {
  const hosts = new Hosts(bus);
  const watch = new HostPoller(hosts);
  const sites = new SiteQueries(db, SCHEMA, { baseDomain: config.HOSTPLANE_BASE_DOMAIN, httpPort: config.HOSTPLANE_EDGE_HTTP_PORT, httpsPort: config.HOSTPLANE_EDGE_HTTPS_PORT }, watch);
  const projects = new ProjectQueries(db, SCHEMA, usualQuota(config));
  const backups = new BackupQueries(db, SCHEMA);
  const timeline = new TimelineQueries(db, SCHEMA);
  const tokens = new TokenBook(db, SCHEMA);
  const lifecycle = new Lifecycle(bus, readModel);
  const idempotency = new Idempotency(db, SCHEMA);
  const folder = join(config.HOSTPLANE_DATA, 'content');
  const content = new ContentStore(folder);
  const made: object[] = [
    readModel, sites, projects, timeline, tokens, lifecycle, idempotency, new OperationQueries(db, SCHEMA), new MemberQueries(db, SCHEMA),
    backups, new SecretQueries(db, SCHEMA), hosts, watch, new DomainQueries(db, SCHEMA), new CertificateQueries(db, SCHEMA), new EdgeRulesQueries(db, SCHEMA), new EdgeHistory(store), new Domains(bus, readModel),
    new ProjectChoice(projects, lifecycle, readModel, config.HOSTPLANE_HOST_ID),
    new ProjectSwitch(sites, backups, lifecycle),
    new Vault(bus, readModel),
    new TokenCommands(store, readModel, tokens, projects),
    new LogOrigin(store),
    new Uploads(content, config.HOSTPLANE_MAX_UPLOAD_BYTES),
    new ContentPoller(folder, content, sites, idempotency, log),
    new TimelineStream(timeline, readModel, log),
    new Metrics(readModel),
    healthOf(store, bus, readModel, config.HOSTPLANE_ISOLATION),
  ];
  return [{ provide: ApiGatewayConfig, useValue: config }, { provide: EdgeRenderers, useValue: edgeRenderers }, ...made.map((one) => ({ provide: one.constructor as new () => object, useValue: one }))];
}

const MOST_LAG = 1_000;

function healthOf(store: EventStore, bus: BusClient, readModel: ReadModel, promised: string | undefined): Health {
  const health = new Health();
  health.add('log', () => store.head());
  health.add('bus', () => (bus.connected ? Promise.resolve() : Promise.reject(new Error('the bus is away'))));
  health.add('read model', async () => {
    const lag = (await store.head()) - readModel.position;
    if (readModel.problem !== undefined) throw new Error(`${lag} messages behind the log, which it cannot follow: ${readModel.problem}`);
    if (lag > MOST_LAG) throw new Error(`${lag} messages behind the log`);
  });
  health.add('isolation', () => isolation(promised));
  return health;
}
