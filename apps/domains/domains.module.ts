import { Module, type DynamicModule } from '@nestjs/common';
import { EventStore } from '#eventstore/event-store.js';
import type { BusClient } from '#messaging/bus-client.js';
import { cloudflareRanges } from '#providers/cloudflare/ranges.js';
import { ResolverLookup } from '#providers/resolver/resolver-lookup.js';
import { Authorities } from './authorities.js';
import { chooseAuthorities } from './authorities.module.js';
import { CertificateCommands } from './certificate.commands.js';
import { CertificatePoller } from './certificate.poller.js';
import { EdgeCertificateCommands } from './edge-certificate.commands.js';
import { CertificateReactor } from './certificate.reactor.js';
import { Checks } from './checks.js';
import { chooseDns } from './dns.module.js';
import { DomainCommands } from './domain.commands.js';
import { DomainPoller } from './domain.poller.js';
import { DomainReactor } from './domain.reactor.js';
import type { DomainsSettings } from './domains.config.js';
import { Issuance } from './issuance.js';
import { PlaneCertificate } from './plane-certificate.js';
import { certificatePolicy } from './policy.js';
import { ProofRecords } from './proof-records.js';
import { Records } from './records.js';
import { RouteCommands } from './route.commands.js';

@Module({})
export class DomainsModule {
  static async with(settings: DomainsSettings, store: EventStore, bus: BusClient): Promise<DynamicModule> {
    const lookup = new ResolverLookup({ resolvers: settings.HOSTPLANE_DNS_RESOLVERS ?? [], timeoutMs: settings.HOSTPLANE_DNS_TIMEOUT_MS });
    const checks = new Checks(store, lookup, settings, cloudflareRanges);
    const dns = await chooseDns(settings, store);
    const records = new Records(dns, settings);
    const poller = new DomainPoller(store, checks, records, (ring) => bus.onDoorbell(ring));
    const authorities = await chooseAuthorities(settings, bus, dns);
    const issuance = new Issuance(authorities, bus, new ProofRecords(dns, lookup), certificatePolicy(settings));
    const plane = new PlaneCertificate(settings.HOSTPLANE_BASE_DOMAIN, authorities);
    const certificates = new CertificatePoller(store, authorities, issuance, plane, (ring) => bus.onDoorbell(ring));
    return {
      module: DomainsModule,
      controllers: [RouteCommands, DomainCommands, DomainReactor, CertificateCommands, EdgeCertificateCommands, CertificateReactor],
      providers: [
        { provide: EventStore, useValue: store }, { provide: Checks, useValue: checks }, { provide: Records, useValue: records }, { provide: DomainPoller, useValue: poller },
        { provide: Authorities, useValue: authorities }, { provide: Issuance, useValue: issuance }, { provide: PlaneCertificate, useValue: plane }, { provide: CertificatePoller, useValue: certificates },
      ],
    };
  }
}
