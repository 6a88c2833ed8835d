import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Archive {
  readonly mirror: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  readonly signedBy: string | undefined;
}

/** Reads what /etc/apt says: one-line entries (`deb …`) and deb822 stanzas. */
export function parseSources(text: string): Archive[] {
  return /^\s*Types:/im.test(text) ? text.split(/\n\s*\n/).flatMap(parseStanza) : text.split('\n').flatMap(parseLine);
}

function parseLine(line: string): Archive[] {
  const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$/.exec(line.replace(/#.*$/, ''));
  if (!match) return [];
  const signedBy = /signed-by=(\S+)/i.exec(match[1] ?? '')?.[1];
  return [{ mirror: match[2]!, suites: [match[3]!], components: words(match[4]), signedBy }];
}

function parseStanza(stanza: string): Archive[] {
  const lines = stanza.split('\n').filter((line) => !line.startsWith('#')).join('\n').replace(/\n[ \t]+/g, ' ');
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'im').exec(lines)?.[1]?.trim();
  if (!words(field('Types')).includes('deb') || field('Enabled')?.toLowerCase() === 'no') return [];
  const key = field('Signed-By');
  return words(field('URIs')).map((mirror) => ({ mirror, suites: words(field('Suites')), components: words(field('Components')), signedBy: key?.startsWith('/') ? key : undefined }));
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter(Boolean);
}

/** The archive that this machine's system comes from, by its own apt settings. */
export function ownArchive(archives: readonly Archive[], codename: string): Archive | undefined {
  return archives.find(({ suites, components }) => components.includes('main') && suites.includes(codename)) ??
    archives.find(({ suites, components }) => components.includes('main') && suites.some((suite) => /^(stable|testing|unstable|sid)$/.test(suite)));
}

/**
 * apt with a memory of its own: it reads the machine's mirror and checks the distribution's signatures, needs no root, and neither
 * reads nor changes what is installed. `folder` keeps its lists, so that a second use is quick.
 */
export class PrivateApt {
  private constructor(
    private readonly folder: string,
    private readonly line: string,
    private readonly isSnapshot: boolean,
  ) {}

  /**
   * For the suite asked for (`trixie`), by the machine's own mirror; undefined where the machine has no apt or says no mirror. A mirror that stands still
   * (`isSnapshot`) says of a suite that moves that it is out of date; its signature is checked all the same.
   */
  static on(folder: string, suiteOf: (codename: string) => string, isSnapshot = false): PrivateApt | undefined {
    if (!existsSync('/usr/bin/apt-get') || !existsSync('/usr/bin/dpkg-deb')) return undefined;
    const system: Record<string, string | undefined> = Object.fromEntries(readFileSync('/etc/os-release', 'utf8').split('\n').map((line) => line.replace(/"/g, '').split('=', 2) as [string, string]));
    const codename = system['VERSION_CODENAME'] ?? '';
    const archive = ownArchive(machineSources(), codename);
    const signedBy = archive?.signedBy ?? `/usr/share/keyrings/${system['ID'] ?? ''}-archive-keyring.gpg`;
    if (!archive || !existsSync(signedBy)) return undefined;
    const components = ['main', ...archive.components.filter((component) => component === 'universe')];
    return new PrivateApt(folder, `deb [signed-by=${signedBy}] ${archive.mirror} ${suiteOf(codename)} ${components.join(' ')}`, isSnapshot);
  }

  /** Downloads packages and unpacks them into `target`; with `dependencies`, also everything that they need, the C library included. */
  async unpack(packages: readonly string[], target: string, dependencies = false): Promise<void> {
    const archives = join(this.folder, 'archives');
    rmSync(archives, { recursive: true, force: true });
    for (const sub of ['lists/partial', 'archives/partial']) mkdirSync(join(this.folder, sub), { recursive: true });
    mkdirSync(target, { recursive: true });
    writeFileSync(join(this.folder, 'sources.list'), `${this.line}\n`);
    await this.apt(['update']);
    const what = dependencies ? ['install', '--download-only', '--yes', '--no-install-recommends'] : ['download'];
    await this.apt([...what, ...packages], archives);
    for (const deb of readdirSync(archives).filter((name) => name.endsWith('.deb'))) await run('dpkg-deb', ['-x', join(archives, deb), target]);
    rmSync(archives, { recursive: true, force: true });
  }

  private async apt(args: readonly string[], cwd = this.folder): Promise<void> {
    const options = {
      'Dir::State': this.folder,
      'Dir::State::Lists': join(this.folder, 'lists'),
      'Dir::State::status': '/dev/null',
      'Dir::Cache': this.folder,
      'Dir::Cache::archives': join(this.folder, 'archives'),
      'Dir::Etc::sourcelist': join(this.folder, 'sources.list'),
      'Dir::Etc::sourceparts': '-',
      'Dir::Etc::preferences': '-',
      'Dir::Etc::preferencesparts': '-',
      'APT::Sandbox::User': String(process.getuid?.() ?? ''),
      'APT::Get::List-Cleanup': 'false',
      'Acquire::Languages': 'none',
      'Acquire::Retries': '2',
      ...(this.isSnapshot && { 'Acquire::Check-Valid-Until': 'false' }),
      'Debug::NoLocking': 'true',
    };
    const settings = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    await run('apt-get', ['-qq', ...settings, ...args], { cwd, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' }, maxBuffer: 10_000_000 });
  }
}

function machineSources(): Archive[] {
  const parts = existsSync('/etc/apt/sources.list.d') ? readdirSync('/etc/apt/sources.list.d').filter((name) => /\.(list|sources)$/.test(name)) : [];
  const files = ['/etc/apt/sources.list', ...parts.map((name) => `/etc/apt/sources.list.d/${name}`)];
  return files.filter((file) => existsSync(file)).flatMap((file) => parseSources(readFileSync(file, 'utf8')));
}
