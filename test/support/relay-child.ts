import { setTimeout as sleep } from 'node:timers/promises';
import { FakeLog } from './fake-log.js';
import { Relay } from '#messaging/relay.js';

/** A relay in a process of its own, to be killed: arguments are the bus' url and the length of the log. */
const [url, count] = process.argv.slice(2);
const relay = new Relay({ url: url!, source: new FakeLog().fill(Number(count)), setup: { hosts: ['local'] } });
const running = relay.run();
while (!relay.connected) await sleep(1);
process.stdout.write('connected\n');
await running;
