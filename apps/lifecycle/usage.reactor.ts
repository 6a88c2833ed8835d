import { Controller } from '@nestjs/common';
import type { StoredMessage } from '#contracts/message.js';
import { projectDecider } from '#domain/project/project.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, on } from '#eventstore/handle.js';
import { OnEvent } from '#messaging/handlers.js';

/** Tells a project what its host has measured of it, so that its quota counts it. */
@Controller()
export class UsageReactor {
  constructor(private readonly store: EventStore) {}

  @OnEvent('UsageMeasured')
  async takeOn(event: StoredMessage<'UsageMeasured'>): Promise<void> {
    const { projectId, data } = event.data;
    const sums = new Map<string, number>();
    for (const { dataId, bytes } of data) sums.set(dataId, (sums.get(dataId) ?? 0) + bytes);
    const measure = { type: 'MeasureProject', data: [...sums].map(([dataId, bytes]) => ({ dataId, bytes })), revision: event.position } as const;
    await handle(this.store, event, [on(projectDecider, projectId, measure)], { actor: 'system:lifecycle' });
  }
}
