// npm run check: everything that a machine can say about the code without running the product. `npm run check -- lint rooms` runs only those,
// and with --fix what eslint can mend is mended.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { protoBreaking, protoFresh } from './proto.mjs';

const fix = process.argv.includes('--fix');
const root = join(import.meta.dirname, '../..');
const bin = join(root, 'node_modules/.bin');
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, FORCE_COLOR: '0', NO_COLOR: '1' };
const folders = ['libs', 'apps', 'infra', 'test'].filter((folder) => existsSync(join(root, folder)));
const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];

/** Runs a program in the repository; answers its exit code and everything that it printed. */
function run(command, ...args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const pipe of [child.stdout, child.stderr]) pipe.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => resolve({ code: 127, output: `${command}: ${error.message}` }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

const checks = {
  types: () => run('tsc', '-p', 'tsconfig.json', '--noEmit'),
  'types of the domain': () => run('tsc', '-p', 'libs/domain/tsconfig.json'),
  lint: () => run('eslint', '--max-warnings=0', ...(fix ? ['--fix'] : []), '.'),
  rooms: () => run('depcruise', '--config', 'infra/lint/rooms.mjs', '--output-type', 'err', ...folders),
  'proto lint': () => run('buf', 'lint'),
  'proto compatible': () => protoBreaking(root, run),
  'proto generated': () => protoFresh(root, run),
  unused: () => run('knip', '--config', 'infra/lint/knip.json', '--no-progress', '--no-config-hints'),
  tidy: () => run(process.execPath, ...jest, '--selectProjects', 'unit', '--silent=false', 'test/tidy'),
};

const asked = process.argv.slice(2).filter((name) => name !== '--fix');
const unknown = asked.filter((name) => !Object.keys(checks).some((check) => check.startsWith(name)));
if (unknown.length > 0) {
  console.error(`There is no check called ${unknown.join(', ')}. There are: ${Object.keys(checks).join(', ')}.`);
  process.exit(2);
}
const names = Object.keys(checks).filter((name) => asked.length === 0 || asked.some((wanted) => name.startsWith(wanted)));
const results = new Map();
const waiting = [...names];

async function work() {
  for (let name = waiting.shift(); name; name = waiting.shift()) {
    const began = performance.now();
    const result = await checks[name]();
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    results.set(name, result);
    const said = result.code !== 0 ? 'FAILED' : (result.skipped ?? 'ok');
    console.log(`${name.padEnd(20)} ${seconds.padStart(6)} s  ${said}`);
  }
}

await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));

const failed = names.filter((name) => results.get(name).code !== 0);
for (const name of failed) console.log(`\n── ${name} ──\n${results.get(name).output.trim()}`);
console.log(failed.length > 0 ? `\n${failed.length} of ${names.length} checks failed: ${failed.join(', ')}` : `\nAll ${names.length} checks passed.`);
process.exit(failed.length > 0 ? 1 : 0);
