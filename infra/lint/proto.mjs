import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whether the code in libs/contracts/gen is what the proto files generate: made anew elsewhere, and compared byte for byte. */
export function protoFresh(root, run) {
  return withFolder(async (folder) => {
    const made = await run('buf', 'generate', '--output', folder);
    if (made.code !== 0) return made;
    const [fresh, committed] = [join(folder, 'libs/contracts/gen'), join(root, 'libs/contracts/gen')].map(filesOf);
    const stale = [...new Set([...fresh.keys(), ...committed.keys()])].filter((file) => fresh.get(file) !== committed.get(file));
    if (stale.length === 0) return made;
    return { code: 1, output: `Not what the proto files generate; run \`npm run generate\` and commit:\n${stale.map((file) => `  libs/contracts/gen/${file}`).join('\n')}` };
  });
}

/** Whether what was stored with the earlier proto files can still be read. */
export function protoBreaking(root, run) {
  const base = earlierProto(root);
  if (!base) return { code: 0, output: '', skipped: 'SKIPPED: the history that is here holds no earlier proto to compare with' };
  return withFolder((folder) => {
    const archive = git(root, ['archive', '--format=tar', base, 'proto', 'buf.yaml']);
    execFileSync('tar', ['-x', '-C', folder], { input: archive });
    return run('buf', 'breaking', '--against', folder);
  });
}

/** What HOSTPLANE_PROTO_BASE names, else the last release, else the proto files as they were before their last change. */
function earlierProto(root) {
  if (process.env.HOSTPLANE_PROTO_BASE) return process.env.HOSTPLANE_PROTO_BASE;
  const tag = line(root, ['describe', '--tags', '--abbrev=0', '--match', 'v*']);
  if (tag) return tag;
  const [last, before] = line(root, ['rev-list', '--max-count=2', 'HEAD', '--', 'proto']).split('\n');
  return line(root, ['status', '--porcelain', '--', 'proto']) === '' ? before : last;
}

function line(root, args) {
  try {
    return git(root, args).toString().trim();
  } catch {
    return '';
  }
}

function git(root, args) {
  return execFileSync('git', args, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 26 });
}

function filesOf(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(files.map((entry) => [join(entry.parentPath, entry.name)]).map(([path]) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]));
}

async function withFolder(use) {
  const folder = mkdtempSync(join(tmpdir(), 'hostplane-check-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
