import { spawn } from 'node:child_process';

/** Has another program do the work, and ends as it ends. What is to end this process ends the other. */
export function handOver(command, args) {
  const child = spawn(command, args, { stdio: 'inherit' });
  // A terminal sends its Ctrl-C to both.
  const isAtTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
  process.on('SIGINT', () => isAtTerminal || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`${command} cannot be run: ${error.message}`);
    process.exit(1);
  });
  child.on('close', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
