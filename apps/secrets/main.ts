import { runApp } from '#boot/process.js';
import { start } from './start.js';

await runApp('secrets', start);
