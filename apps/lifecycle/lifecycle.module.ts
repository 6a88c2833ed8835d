import { Module, type DynamicModule } from '@nestjs/common';
import { EventStore } from '#eventstore/event-store.js';
import { BackupCommands } from './backup.commands.js';
import { BackupPoller } from './backup.poller.js';
import { DomainReactor } from './domain.reactor.js';
import { LifecycleConfig, type LifecycleSettings } from './lifecycle.config.js';
import { MemberCommands } from './member.commands.js';
import { OperationCommands } from './operation.commands.js';
import { OperationReactor } from './operation.reactor.js';
import { OperationPoller } from './operation.poller.js';
import { ProjectCommands } from './project.commands.js';
import { RepairPoller } from './repair.poller.js';
import { SiteCommands } from './site.commands.js';
import { UsageReactor } from './usage.reactor.js';

@Module({})
export class LifecycleModule {
  static with(settings: LifecycleSettings, store: EventStore): DynamicModule {
    return {
      module: LifecycleModule,
      controllers: [SiteCommands, ProjectCommands, MemberCommands, BackupCommands, OperationCommands, OperationReactor, DomainReactor, UsageReactor],
      providers: [{ provide: EventStore, useValue: store }, { provide: LifecycleConfig, useValue: settings }, SiteCommands, OperationReactor, OperationPoller, BackupPoller, RepairPoller],
    };
  }
}
