import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

/** The house rules that no linter knows: sizes, names, words, and the documents that go with the code. */
const root = join(import.meta.dirname, '..');
const tracked = filesHere();
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const generated = (file: string) => file.startsWith('libs/contracts/gen/') || file === 'package-lock.json' || file === 'LICENSE';
const written = tracked.filter((file) => !generated(file) && /\.(ts|mjs|js|cjs|json|ya?ml|md|proto|sql|sh|html|conf|txt)$|(^|\/)(run|\.npmrc|\.gitignore|[A-Z]\w*file)$/.test(file));
const code = written.filter((file) => /\.(ts|mjs|js|sql|proto|svelte)$/.test(file));
const isTest = (file: string) => /\.(spec|contract)\.ts$/.test(file) || file.startsWith('test/');

/** Every line of the files in which the pattern is found, as `file:line: text`. */
function linesWith(files: readonly string[], pattern: RegExp): string[] {
  return files.flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((line, at) => (pattern.test(line) ? [`${file}:${at + 1}: ${line.trim().slice(0, 120)}`] : [])),
  );
}

describe('files', () => {
  it('fit in one sitting: 300 lines at most, test suites apart', () => {
    const lines = (file: string) => read(file).trimEnd().split('\n').length;
    expect(code.filter((file) => !isTest(file) && lines(file) > 300)).toEqual([]);
  });

  it('are imported one by one: there is no index.ts', () => {
    expect(code.filter((file) => /^index\.[cm]?[jt]s$/.test(basename(file)))).toEqual([]);
  });

  it('are named for what they are about', () => {
    const vague = /(^|[-.])(services?|managers?|utils?|utilities|helpers?|commons?|shared|dtos?|base|impl|misc|entity|mapper)([-.]|$)/;
    const named = code.flatMap((file) => [basename(file), ...dirname(file).split('/')]);
    expect([...new Set(named)].filter((name) => vague.test(name))).toEqual([]);
  });

  it('are named in lower case with hyphens', () => {
    expect(code.filter((file) => !/^[a-z0-9./_-]+$/.test(file))).toEqual([]);
  });
});

describe('names', () => {
  it('of what is declared say what it is', () => {
    const vague = /^\s*(?:export )?(?:default )?(?:abstract )?(?:async )?(?:class|interface|type|function)\s+(\w*(Service|Manager|Utils?|Helper|Dto|DTO|Impl)|Base[A-Z]\w*|Abstract[A-Z]\w*|I[A-Z][a-z]\w+)\b/;
    expect(linesWith(code.filter((file) => file.endsWith('.ts')), vague)).toEqual([]);
  });
});

describe('words', () => {
  const prose = written.filter((file) => file !== 'test/tidy.spec.ts');

  it('leave nothing for later', () => {
    expect(linesWith(prose, new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`))).toEqual([]);
  });

  it('name no package registry', () => {
    expect(linesWith([...prose, 'package-lock.json'], /registry\.(npmjs|yarnpkg)|npmmirror|verdaccio|artifactory|"resolved": "http/)).toEqual([]);
  });

  it('name no path of the machine that they were written on', () => {
    const here = [root, homedir() === '/root' ? '' : homedir()].filter((path) => path.length > 4);
    expect(prose.filter((file) => here.some((path) => read(file).includes(path)))).toEqual([]);
    expect(linesWith(prose, /(^|[\s'"`(=:])(\/work\/|\/home\/[a-z]+\/|\/Users\/)/)).toEqual([]);
  });

  it('speak of the product, not of how it came about', () => {
    expect(linesWith(prose, /\b(issue #?[0-9]+|this session|earlier session)\b/i)).toEqual([]);
  });

  it('run every test: none is skipped or singled out', () => {
    expect(linesWith(code.filter(isTest), /\b(it|test|describe)\.(only|todo)\b|\b[xf](it|describe)\(/)).toEqual([]);
  });
});

describe('interfaces of providers', () => {
  const interfaces = tracked.filter((file) => /^libs\/providers\/[^/]+\.ts$/.test(file) && !isTest(file));

  it.each(interfaces)('%s: what is exported says what it promises', (file) => {
    const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
    const silent = source.statements.filter(isExported).filter((statement) => !isPlainUnion(statement) && ts.getJSDocCommentsAndTags(statement).length === 0);
    expect(silent.map((statement) => statement.getText().split('\n')[0])).toEqual([]);
  });

  it.each(interfaces)('%s: every verb of a provider is documented', (file) => {
    const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
    const silent = source.statements.filter(ts.isInterfaceDeclaration).flatMap((declared) => {
      const promise = ts.getJSDocCommentsAndTags(declared).map((doc) => doc.getText()).join();
      const verbs = declared.members.filter(ts.isMethodSignature);
      return verbs.filter((verb) => ts.getJSDocCommentsAndTags(verb).length === 0 && !promise.includes(`\`${verb.name.getText()}\``));
    });
    expect(silent.map((verb) => verb.name.getText())).toEqual([]);
  });
});

describe('documents', () => {
  const rooms = readdirSync(join(root, 'libs'), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const apps = existsSync(join(root, 'apps')) ? readdirSync(join(root, 'apps')) : [];
  const records = tracked.filter((file) => /^infra\/decisions\/\d{4}-[a-z0-9-]+\.md$/.test(file));

  it.each([...rooms.map((room) => `libs/${room}`), ...apps.map((app) => `apps/${app}`)])('README says what %s is for', (folder) => {
    expect(linesWith(['README.md'], new RegExp('^\\|.*`' + folder + '/?`.*\\|.{12,}\\|'))).not.toEqual([]);
  });

  it('decisions are numbered from 1 without a gap', () => {
    expect(records.map((file) => Number(basename(file).slice(0, 4)))).toEqual(records.map((_, at) => at + 1));
  });

  it.each(records)('%s says context, decision and what was given up, on one page', (file) => {
    const headings = [...read(file).matchAll(/^## (.+)$/gm)].map((found) => found[1]);
    expect(headings).toEqual(['Context', 'Decision', 'What we gave up']);
    expect(read(file).split('\n').length).toBeLessThan(70);
  });

  it.each(tracked.filter((file) => file.endsWith('.md')))('%s links only to files that are there', (file) => {
    const targets = [...read(file).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map((found) => found[1]!);
    expect(targets.filter((target) => !existsSync(join(root, dirname(file), target)))).toEqual([]);
  });

  it('README names every variable that the code reads', () => {
    const product = code.filter((file) => /^(apps|libs|infra)\//.test(file) && !isTest(file));
    const names = new Set(product.flatMap((file) => read(file).match(/\bHOSTPLANE_[A-Z][A-Z_]*[A-Z]\b/g) ?? []));
    const readme = read('README.md') + read('CONTRIBUTING.md');
    expect([...names].filter((name) => !readme.includes(name) && !/_(DATABASE|NATS)_URL$/.test(name))).toEqual([]);
  });
});

function isExported(statement: ts.Statement): boolean {
  return ts.canHaveModifiers(statement) && (ts.getModifiers(statement) ?? []).some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword);
}

/** A union of words explains itself. */
function isPlainUnion(statement: ts.Statement): boolean {
  return ts.isTypeAliasDeclaration(statement) && ts.isUnionTypeNode(statement.type);
}

/** What git tracks or would; where git or its folder is missing, all that is not made or installed. */
function filesHere(): string[] {
  const listed = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (listed.status === 0) return listed.stdout.split('\n').filter((file) => file !== '' && existsSync(join(root, file))).sort();
  const made = /^(node_modules|dist|coverage|\.hostplane|\.git)(\/|$)/;
  const top = readdirSync(root).filter((name) => !made.test(name));
  const inside = (folder: string) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => `${folder}/${file}`);
  return top.flatMap((name) => (statSync(join(root, name)).isDirectory() ? inside(name) : [name])).filter((file) => statSync(join(root, file)).isFile()).sort();
}
