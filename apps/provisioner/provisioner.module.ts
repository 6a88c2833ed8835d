import { join } from 'node:path';
import { Module, type DynamicModule } from '@nestjs/common';
import type { Logger } from '#boot/logger.js';
import { ContentStore } from '#content/content-store.js';
import { EventStore } from '#eventstore/event-store.js';
import type { BusClient } from '#messaging/bus-client.js';
import { ownAddressOf } from '#providers/edge/edge-settings.js';
import { connectSelf } from '#providers/edge/proxy-protocol.js';
import { TunnelledEdge } from '#providers/edge/tunnelled-edge.js';
import { BackupCommands } from './backup.commands.js';
import { chooseTargets } from './backup-targets.module.js';
import { Backups } from './backups.js';
import { CertificateKeys } from './certificate-keys.js';
import { CertificateCommands } from './certificate.commands.js';
import { CertificatesPoller } from './certificates.poller.js';
import { CronPoller } from './cron.poller.js';
import { DatabaseCommands } from './database.commands.js';
import { Databases } from './databases.js';
import { EdgeRecord } from './edge-record.js';
import { EdgeCommands } from './edge.commands.js';
import { chooseEdge } from './edge.module.js';
import { EdgePoller } from './edge.poller.js';
import { HealthPoller, Watch } from './health.poller.js';
import { HostCertificates } from './host-certificates.js';
import { HostEdge } from './host-edge.js';
import { InstalledSites } from './installed-sites.projection.js';
import { MeantWorkloads } from './meant-workloads.projection.js';
import { planeId } from './plane-id.js';
import type { ProvisionerSettings } from './provisioner.config.js';
import { ProgressBoard } from './progress.js';
import { followRoutes } from './routes.projection.js';
import { chooseTunnel } from './tunnel.module.js';
import { Tunnelled, TunnelPoller } from './tunnel.poller.js';
import { RecordedUsage } from './recorded-usage.projection.js';
import { Runtimes } from './runtimes.js';
import { SiteDatabases } from './site-databases.js';
import { chooseDatabases, chooseRuntimes, contentFolder } from './runtimes.module.js';
import { Usage } from './usage.js';
import { Measuring, UsagePoller } from './usage.poller.js';
import { Vault } from './vault.js';
import { EdgeDoor } from './visit.js';
import { Patience, WordPressCommands } from './wordpress.commands.js';
import { WorkloadCommands } from './workload.commands.js';

@Module({})
export class ProvisionerModule {
  /** Chooses this host's runtimes and edge, and brings the edge up to the routes that the log holds now. */
  static async with(settings: ProvisionerSettings, store: EventStore, bus: BusClient, log: Logger): Promise<DynamicModule> {
    const plane = await planeId(settings.HOSTPLANE_DATA);
    const runtimes = await chooseRuntimes(settings, plane);
    await thaw(runtimes, log);
    const backups = new Backups(await chooseTargets(settings), new ContentStore(contentFolder(settings)), join(settings.HOSTPLANE_DATA, 'backups-under-way'));
    await backups.forgetUnfinished();
    const bare = await chooseEdge(settings, plane, (line) => log.info(line));
    const tunnel = await chooseTunnel(settings, (line) => log.warn(line));
    const tunnelled = tunnel && new TunnelledEdge(bare, tunnel, settings.HOSTPLANE_BASE_DOMAIN, (line) => log.error(line));
    const provider = tunnelled ?? bare;
    const source = followRoutes(store, settings.HOSTPLANE_HOST_ID, provider.certificates);
    const edge = new HostEdge(provider, source, settings.HOSTPLANE_EDGE_STAYS === 'yes');
    const record = new EdgeRecord(store, settings.HOSTPLANE_HOST_ID);
    await record.started(await edge.restore(await store.head()));
    log.info({ edge: provider.name, runtimes: runtimes.all.map(({ name }) => name), sites: join(settings.HOSTPLANE_DATA, 'sites') }, 'This host is ready');
    const databases = await chooseDatabases(settings, plane, runtimes);
    const vault = new Vault(bus);
    const recorded = new RecordedUsage(settings.HOSTPLANE_HOST_ID);
    return {
      module: ProvisionerModule,
      controllers: [WorkloadCommands, WordPressCommands, DatabaseCommands, BackupCommands, EdgeCommands, CertificateCommands],
      providers: [
        { provide: EventStore, useValue: store },
        { provide: Runtimes, useValue: runtimes },
        { provide: HostEdge, useValue: edge },
        { provide: EdgeRecord, useValue: record },
        { provide: Vault, useValue: vault },
        { provide: Databases, useValue: databases },
        { provide: SiteDatabases, useValue: new SiteDatabases(databases, vault) },
        { provide: EdgeDoor, useValue: doorOf(settings) },
        { provide: HostCertificates, useValue: source.certificates },
        { provide: CertificateKeys, useValue: new CertificateKeys(vault, source.certificates) },
        { provide: InstalledSites, useValue: new InstalledSites(settings.HOSTPLANE_HOST_ID) },
        { provide: MeantWorkloads, useValue: new MeantWorkloads(settings.HOSTPLANE_HOST_ID) },
        { provide: Watch, useValue: { hostId: settings.HOSTPLANE_HOST_ID, everyMs: settings.HOSTPLANE_OBSERVE_SECONDS * 1000 } satisfies Watch },
        { provide: RecordedUsage, useValue: recorded },
        { provide: Usage, useValue: new Usage(store, runtimes, databases, recorded, settings.HOSTPLANE_HOST_ID) },
        { provide: Measuring, useValue: { everyMs: settings.HOSTPLANE_MEASURE_SECONDS * 1000 } satisfies Measuring },
        { provide: Patience, useValue: { withinMs: settings.HOSTPLANE_COMMAND_SECONDS * 1000 } satisfies Patience },
        { provide: Backups, useValue: backups },
        ProgressBoard,
        EdgePoller,
        { provide: Tunnelled, useValue: new Tunnelled(tunnelled) },
        TunnelPoller,
        CertificatesPoller,
        CronPoller,
        HealthPoller,
        UsagePoller,
      ],
    };
  }
}

function doorOf({ HOSTPLANE_BIND, HOSTPLANE_EDGE_HTTP_PORT: httpPort, HOSTPLANE_EDGE_HTTPS_PORT: httpsPort, HOSTPLANE_EDGE_PROXY_PROTOCOL, HOSTPLANE_HEALTH_DEADLINE_SECONDS }: ProvisionerSettings): EdgeDoor {
  return { httpPort, connect: (isSecure = false) => connectSelf(ownAddressOf(HOSTPLANE_BIND), isSecure ? httpsPort : httpPort, HOSTPLANE_EDGE_PROXY_PROTOCOL === 'on'), withinMs: HOSTPLANE_HEALTH_DEADLINE_SECONDS * 1000 };
}

/** A process that was killed while it read a site's data left the site standing still: it goes on before anything else is done. */
async function thaw(runtimes: Runtimes, log: Logger): Promise<void> {
  for (const { name, storage } of runtimes.all) {
    await storage?.thawAll().catch((err: unknown) => log.error({ err, runtime: name }, 'What stands still could not be let go on'));
  }
}
