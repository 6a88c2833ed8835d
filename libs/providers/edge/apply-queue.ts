import type { AppliedEdge, RouteTable } from '../edge.js';

interface Waiting {
  readonly table: RouteTable;
  readonly resolve: (applied: AppliedEdge) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Works on one table at a time. Of the tables that wait meanwhile only the newest is worked on and answers for all: a table is whole, so a
 * newer one holds what an older one said. When the newest is refused, the next newest gets its turn.
 */
export class ApplyQueue {
  private readonly waiting: Waiting[] = [];
  private tail: Promise<unknown> = Promise.resolve();
  private drainScheduled = false;

  constructor(private readonly work: (table: RouteTable) => Promise<AppliedEdge>) {}

  apply(table: RouteTable): Promise<AppliedEdge> {
    const done = new Promise<AppliedEdge>((resolve, reject) => this.waiting.push({ table, resolve, reject }));
    if (!this.drainScheduled) {
      this.drainScheduled = true;
      void this.alone(() => this.drain());
    }
    return done;
  }

  /** Runs something while no table is worked on. */
  alone<T>(run: () => Promise<T>): Promise<T> {
    const result = this.tail.then(run);
    this.tail = result.catch(() => undefined);
    return result;
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) {
      this.waiting.sort((a, b) => a.table.revision - b.table.revision);
      const newest = this.waiting.pop()!;
      const olderCount = this.waiting.length;
      try {
        const applied = await this.work(newest.table);
        for (const older of this.waiting.splice(0, olderCount)) older.resolve(applied);
        newest.resolve(applied);
      } catch (error) {
        newest.reject(error);
      }
    }
    this.drainScheduled = false;
  }
}
