import type { CommandOutput } from '#contracts/gen/hostplane/v1/workload.js';
import type { CommandResult } from '#providers/site-runtime.js';

/** What an answer carries of each of a command's two outputs: characters, and bytes as they travel. The bus takes a megabyte for both. */
const MOST_CHARACTERS = 200_000;
const MOST_BYTES = 450_000;

/** The beginning of what a command said, as much of it as an answer carries. */
export function commandOutput({ exitCode, stdout, stderr }: CommandResult, position: number): CommandOutput {
  const [out, err] = [beginning(stdout), beginning(stderr)];
  return { exitCode, stdout: out, stderr: err, isCut: out.length + err.length < stdout.length + stderr.length, position };
}

/** Others than plain letters take up to six bytes (within JSON), and some two units of a string: these are not cut apart. */
function beginning(text: string): string {
  const most = text.slice(0, MOST_CHARACTERS);
  const bytes = Buffer.byteLength(JSON.stringify(most));
  if (bytes > MOST_BYTES) return beginning(most.slice(0, Math.floor((most.length * MOST_BYTES) / bytes) - 1));
  return most.length < text.length && isHalf(most) ? most.slice(0, -1) : most;
}

const isHalf = (text: string): boolean => /[\uD800-\uDBFF]$/.test(text);
