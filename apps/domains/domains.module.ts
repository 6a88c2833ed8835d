import { Module, type DynamicModule } from '@nestjs/common';
import { EventStore } from '#eventstore/event-store.js';
import { RouteCommands } from './route.commands.js';

@Module({})
export class DomainsModule {
  static with(store: EventStore): DynamicModule {
    return { module: DomainsModule, controllers: [RouteCommands], providers: [{ provide: EventStore, useValue: store }] };
  }
}
