import { EventStore } from '#eventstore/event-store.js';
import { write } from './writers.js';

/** A process of its own for append.bench.ts: URL, writers and seconds in, figures out by IPC. Waits for a word before it begins. */
const [url, writers, seconds] = process.argv.slice(2) as [string, string, string];
const store = new EventStore({ connectionString: url, app: 'api-gateway' });
await write(store, Number(writers), 0.3);
process.on('message', () => {
  void write(store, Number(writers), Number(seconds)).then(async (figures) => {
    await store.close();
    process.send!(figures, () => process.disconnect());
  });
});
process.send!('ready');
