import type { ApiClient } from '#api/client.js';
import { followEvents } from '#api/event-stream.js';
import { isEnded, movingData, type Operation } from '#api/operation.js';
import { FailedError } from './exit-codes.js';
import { renderChanges, renderOperation } from './progress.js';
import type { Terminal } from './terminal.js';

const SPIN_MS = 100;
/** How far data is, is no event: it has to be asked for. */
const PROGRESS_MS = 2_000;

/** Shows an operation until it has ended, and answers how. Throws FailedError when it is not over in time. */
export async function watchOperation(client: ApiClient, terminal: Terminal, operationId: string, timeoutSeconds: number): Promise<Operation> {
  const display = terminal.isLive ? new LiveDisplay(terminal) : new PlainDisplay(terminal);
  const deadline = AbortSignal.timeout(timeoutSeconds * 1000);
  const signal = terminal.io.signal ? AbortSignal.any([deadline, terminal.io.signal]) : deadline;
  try {
    return await follow(client, operationId, signal, (operation) => display.show(operation));
  } catch (error) {
    if (!signal.aborted) throw error;
    const why = deadline.aborted ? `after ${timeoutSeconds} s` : 'and was left';
    throw new FailedError(`The operation is still under way ${why}. It goes on; see it again with: hostplane operation watch ${operationId}`);
  } finally {
    display.end();
  }
}

/** Every event of the operation, from its first, is the sign to look again. */
async function follow(client: ApiClient, operationId: string, outer: AbortSignal, show: (operation: Operation) => void): Promise<Operation> {
  const look = async () => {
    const { body } = await client.call('showOperation', { params: { id: operationId } }, { signal: outer });
    show(body);
    return body;
  };
  const first = await look();
  if (isEnded(first.status)) return first;
  const done = new AbortController();
  const signal = AbortSignal.any([outer, done.signal]);
  const asking = movingData.includes(first.kind) ? setInterval(() => void look().catch(() => undefined), PROGRESS_MS) : undefined;
  try {
    for await (const _ of followEvents(client, { filter: { operationId }, after: 0, signal })) {
      const operation = await look();
      if (isEnded(operation.status)) return operation;
    }
  } finally {
    clearInterval(asking);
    done.abort();
  }
  outer.throwIfAborted();
  return look();
}

/** Lines as things change. */
class PlainDisplay {
  private before: Operation | undefined;
  constructor(private readonly terminal: Terminal) {}
  show(operation: Operation): void {
    for (const line of renderChanges(this.before, operation)) this.terminal.note(line);
    this.before = operation;
  }
  end(): void {}
}

/** A block that is redrawn in place, with a spinner. */
class LiveDisplay {
  private operation: Operation | undefined;
  private drawn = 0;
  private frame = 0;
  private readonly timer = setInterval(() => this.draw(), SPIN_MS);
  constructor(private readonly terminal: Terminal) {}
  show(operation: Operation): void {
    this.operation = operation;
    this.draw();
  }
  end(): void {
    clearInterval(this.timer);
    this.draw();
  }
  private draw(): void {
    if (!this.operation) return;
    const lines = renderOperation(this.operation, Date.now(), this.frame++);
    const back = this.drawn > 0 ? `\u001b[${this.drawn}A` : '';
    this.terminal.io.err.write(`${back}${lines.map((line) => `\u001b[2K${line}\n`).join('')}\u001b[J`);
    this.drawn = lines.length;
  }
}
