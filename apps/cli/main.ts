import { run } from './program.js';

const stopped = new AbortController();
process.once('SIGINT', () => stopped.abort());
// A reader such as head may close the pipe early: that is fine.
process.stdout.on('error', () => process.exit(0));

process.exitCode = await run(process.argv.slice(2), {
  out: process.stdout, err: process.stderr, in: process.stdin, env: process.env, signal: stopped.signal,
});
