import { setTimeout as sleep } from 'node:timers/promises';
import { FakeLog } from './fake-log.js';
import { Relay, type LogSource } from '#messaging/relay.js';

/** A relay in a process of its own, to be killed: arguments are the bus' url and the length of the log; with a third, it grows each time that it is read, which takes that many milliseconds. */
const [url, count, readMs] = process.argv.slice(2);
const log = new FakeLog().fill(Number(count));
const growing: LogSource = { head: () => log.head(), readRaw: (from) => sleep(Number(readMs)).then(() => log.fill(1).readRaw(from)) };
const relay = new Relay({ url: url!, source: readMs === undefined ? log : growing, setup: { hosts: ['local'] } });
const running = relay.run();
while (!relay.connected) await sleep(1);
process.stdout.write('connected\n');
await running;
