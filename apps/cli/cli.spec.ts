import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { extract } from 'tar-stream';
import { UnreachableError } from '#api/client.js';
import type { Operation } from '#api/operation.js';
import { ProblemError } from '#api/problem.js';
import { chooseContext, credentialsPath, normalUrl, readCredentials, writeCredentials } from './credentials.js';
import { renderEvent, timeOf } from './events.js';
import { exitCodeOf, UsageError } from './exit-codes.js';
import { listFiles, packFolder } from './pack-folder.js';
import { faultOf, run } from './program.js';
import { renderChanges, renderOperation } from './progress.js';
import { pairsOf } from './publish.js';
import { renderBytes, renderElapsed, renderFields, renderTable } from './table.js';
import { expiryOf } from './tokens.js';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'hostplane-cli-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function cli(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const into = (name: 'out' | 'err') => ({ write: (text: string) => void (said[name] += text) });
  const code = await run(argv, { out: into('out'), err: into('err'), in: Readable.from([]), env: { XDG_CONFIG_HOME: folder, HOSTPLANE_URL: 'http://127.0.0.1:65530' } });
  return { code, ...said };
}

describe('a command line', () => {
  it.each([
    [['--help'], 0], [['site', '--help'], 0], [['site', 'create', '--help'], 0],
    [[], 2], [['nope'], 2], [['site', 'nope'], 2], [['site', 'show'], 2], [['site', 'create', 'x', '--kind', 'cgi'], 2], [['site', 'create', 'x', '--port', 'http'], 2],
    [['site', 'create', 'x', '--dir', 'a', '--archive', 'b'], 2], [['site', 'create', 'x', '--image', 'i', '--dir', '.'], 2], [['site', 'create', 'x', '--image', 'i', '--env', 'NOPE'], 2],
    [['site', 'publish', 'x', '/does/not/exist'], 2], [['events', 'list', '--since', 'yesterday'], 2], [['whoami', '--url', 'nope'], 2], [['whoami'], 6],
  ])('%j ends with %i', async (argv, code) => expect((await cli(...argv)).code).toBe(code));
  it.each([
    [['edge', 'rules', 'x', '--page', '500=a.html'], /"500=a\.html" is not like 404=/], [['edge', 'rules', 'x', '--page', '404=/does/not/exist'], /\/does\/not\/exist cannot be read: ENOENT/],
    [['domain', 'add', 'x', 'a.example.com', '--redirect-status', '301'], /--redirect-status needs --redirect-to <hostname>/],
  ])('%j is wrong, and it is said why', async (argv, words) => expect(await cli(...argv)).toEqual({ code: 2, out: '', err: expect.stringMatching(words) }));
  it('explains itself with examples and exit codes', async () => {
    const { out } = await cli('--help');
    for (const words of ['site', 'project', 'operation', 'events', 'token', 'login', 'Examples:', 'Exit codes:']) expect(out).toContain(words);
  });
  it('says in JSON what went wrong when JSON was asked for', async () => {
    const { out, err } = await cli('whoami', '--json');
    expect([out, JSON.parse(err)]).toEqual(['', { code: 'unreachable', detail: expect.stringContaining('http://127.0.0.1:65530') }]);
  });
  it('leaves to another program what follows its two hyphens, and says how to', async () => {
    expect(await cli('wp', 'blog', '--', 'plugin', '--json')).toEqual({ code: 6, out: '', err: expect.stringContaining('✖') });
    expect(await cli('wp', 'blog', 'plugin', '--status=active')).toMatchObject({ code: 2, err: expect.stringMatching(/unknown option[\s\S]*follow a --, as in/) });
    expect(await cli('wp', 'blog', '--input', '/does/not/exist', 'db')).toMatchObject({ code: 2, err: expect.stringContaining('/does/not/exist cannot be read') });
  });
  it('says each fault once', () => {
    // Where CI is set, words are coloured.
    const plain = stripVTControlCharacters;
    const field = { field: 'name', message: 'The name "a" is taken.' };
    expect(plain(faultOf(new ProblemError('conflict', field.message, { errors: [field] }), false))).toBe('✖ The name "a" is taken.');
    expect(plain(faultOf(new ProblemError('invalid', 'The body is not valid: name: Too short.', { errors: [{ field: 'name', message: 'Too short.' }] }), false))).toBe('✖ The body is not valid: name: Too short.');
    const two = [{ field: 'name', message: 'Too short.' }, { field: 'port', message: 'Too big.' }];
    expect(plain(faultOf(new ProblemError('invalid', 'The body is not valid: name: Too short.', { errors: two }), false))).toBe('✖ The body is not valid: name: Too short.\n  port: Too big.');
  });
  it('has an exit code for each way to fail', () => {
    const codes = (['not-found', 'unauthenticated', 'conflict', 'invalid', 'forbidden', 'unavailable', 'internal'] as const).map((code) => exitCodeOf(new ProblemError(code, 'x')));
    expect(codes).toEqual([4, 5, 3, 3, 3, 6, 1]);
    expect([exitCodeOf(new UnreachableError('x')), exitCodeOf(new UsageError('x')), exitCodeOf(new Error('x'))]).toEqual([6, 2, 1]);
  });
});

describe('credentials', () => {
  const env = () => ({ XDG_CONFIG_HOME: folder });
  it('are for the user alone', () => {
    writeCredentials(env(), { contexts: { 'http://a': { token: 'hp_1' } }, current: 'http://a' });
    expect(statSync(credentialsPath(env())).mode & 0o777).toBe(0o600);
    expect(readCredentials(env())).toEqual({ contexts: { 'http://a': { token: 'hp_1' } }, current: 'http://a' });
  });
  it('come from the command line, then the environment, then the file', () => {
    writeCredentials(env(), { contexts: { 'http://a': { token: 'hp_1' } }, current: 'http://a' });
    expect(chooseContext(env(), {})).toEqual({ url: 'http://a', token: 'hp_1' });
    expect(chooseContext({ ...env(), HOSTPLANE_TOKEN: 'hp_2' }, {})).toEqual({ url: 'http://a', token: 'hp_2' });
    expect(chooseContext({ ...env(), HOSTPLANE_URL: 'http://b' }, { token: 'hp_3' })).toEqual({ url: 'http://b', token: 'hp_3' });
    expect(chooseContext({ ...env(), HOSTPLANE_URL: 'http://b/' }, {})).toEqual({ url: 'http://b' });
  });
  it('go to the plane of this machine when nothing else is known', () => expect(chooseContext(env(), {})).toEqual({ url: 'http://127.0.0.1:7080' }));
  it('that cannot be read are said to be so', () => {
    writeCredentials(env(), { contexts: {} });
    writeFileSync(credentialsPath(env()), 'x');
    expect(() => readCredentials(env())).toThrow(UsageError);
    expect(readFileSync(credentialsPath(env()), 'utf8')).toBe('x');
  });
  it('know one spelling of a server', () => expect(['http://a/', 'http://a/api/v1', 'http://a/api/v1/'].map(normalUrl)).toEqual(['http://a', 'http://a', 'http://a']));
});

describe('a folder', () => {
  async function unpack(bytes: Buffer): Promise<Record<string, string>> {
    const files: Record<string, string> = {};
    const tar = extract();
    tar.end(gunzipSync(bytes));
    for await (const entry of tar) files[entry.header.name] = (await buffer(entry)).toString();
    return files;
  }
  beforeEach(() => {
    mkdirSync(join(folder, 'css'));
    mkdirSync(join(folder, '.git'));
    mkdirSync(join(folder, 'node_modules'));
    writeFileSync(join(folder, 'index.html'), 'hi');
    writeFileSync(join(folder, 'empty.txt'), '');
    writeFileSync(join(folder, 'css/a.css'), 'x'.repeat(100_000));
    writeFileSync(join(folder, '.git/config'), 'secret');
    writeFileSync(join(folder, 'node_modules/a.js'), 'x');
    symlinkSync('/etc/passwd', join(folder, 'link'));
  });
  it('is packed without what nobody publishes, and without links', async () => {
    const notes: string[] = [];
    const files = await listFiles(folder, (line) => void notes.push(line));
    expect(files).toEqual(['css/a.css', 'empty.txt', 'index.html']);
    expect(notes).toEqual([expect.stringContaining('link')]);
    expect(await unpack(await buffer(packFolder(folder, files)))).toEqual({ 'css/a.css': 'x'.repeat(100_000), 'empty.txt': '', 'index.html': 'hi' });
  });
  it('gives the same bytes each time', async () => {
    const files = await listFiles(folder, () => undefined);
    expect(await buffer(packFolder(folder, files))).toEqual(await buffer(packFolder(folder, files)));
  });
});

describe('what is printed', () => {
  const plain = { green: String, red: String, yellow: String, dim: String, bold: String, cyan: String };
  const at = (second: number) => `2026-01-01T00:00:0${second}.000Z`;
  const operation: Operation = {
    id: 'o', kind: 'launch-site', status: 'running', siteId: 's', undone: [], createdAt: at(0), updatedAt: at(1),
    steps: [{ name: 'workload', status: 'succeeded', startedAt: at(0), endedAt: at(1) }, { name: 'route', status: 'running', startedAt: at(1) }, { name: 'last', status: 'waiting' }],
  };
  it('shows an operation step by step', () => {
    expect(renderOperation(operation, Date.parse(at(3)), 0, plain)).toEqual(['⠋ launch-site running 3.0 s', '  ✔ workload 1.0 s', '  ⠋ route 2.0 s', '  · last']);
  });
  it('says what changed, for a log', () => {
    const failed: Operation = { ...operation, status: 'failed', error: 'it broke', steps: operation.steps.map((step) => (step.name === 'route' ? { ...step, status: 'failed', error: 'no' } : step)) };
    expect(renderChanges(undefined, operation)).toEqual(['launch-site: running', 'launch-site: workload succeeded', 'launch-site: route running']);
    expect(renderChanges(operation, failed)).toEqual(['launch-site: route failed: no', 'launch-site: failed']);
    expect(renderChanges(failed, failed)).toEqual([]);
  });
  it('says why a step is tried again, once', () => {
    const late = { ...operation, delay: 'no engine' };
    expect(renderOperation(late, Date.parse(at(3)), 0, plain)[2]).toBe('  ⠋ route 2.0 s tried again: no engine');
    expect([renderChanges(operation, late), renderChanges(late, late)]).toEqual([['launch-site: tried again: no engine'], []]);
  });
  it('says how far data is', () => {
    const moving = { ...operation, progress: { phase: 'storing', bytes: 3 * 2 ** 20 } };
    expect(renderOperation(moving, Date.parse(at(3)), 0, plain)[2]).toBe('  ⠋ route 2.0 s storing 3.0 MiB');
    expect(renderChanges(operation, moving)).toEqual(['launch-site: storing 3.0 MiB']);
    expect(renderChanges(moving, moving)).toEqual([]);
    expect([0, 1023, 1024, 5.5 * 2 ** 30].map(renderBytes)).toEqual(['0 B', '1023 B', '1.0 KiB', '5.5 GiB']);
  });
  it('stands in columns, and never lets others steer the terminal', () => {
    expect(renderTable(['NAME', 'STATUS'], [['a', 'ACTIVE'], ['longer', '\u001b[31mX']])).toBe('NAME    STATUS\na       ACTIVE\nlonger  \ufffd[31mX');
    expect(renderFields({ Name: 'a', Error: undefined, Id: 3 })).toBe('Name  a\nId    3');
    expect([renderElapsed(900), renderElapsed(61_000)]).toEqual(['0.9 s', '1 min 1 s']);
  });
  it('is a line an event', () => {
    const event = { position: 7, type: 'SiteFailed', stream: 'site/s', data: { step: 'workload', error: 'no' }, meta: { correlationId: '', causationId: '', actor: '' }, recordedAt: at(1) };
    expect(renderEvent(event)).toBe('     7  2026-01-01 00:00:01  SiteFailed                site/s  workload no');
    const command = { ...event, stream: 'command/c', meta: { ...event.meta, actor: 'token:t' } };
    expect(renderEvent({ ...command, type: 'CommandStarted', data: { program: 'wp user create' } })).toMatch(/command\/c {2}wp user create, by token:t$/);
    expect(renderEvent({ ...command, type: 'CommandEnded', data: { exitCode: 3, error: '' } })).toMatch(/command\/c {2}exit code 3$/);
    expect(renderEvent({ ...command, type: 'CommandEnded', data: { exitCode: 0, error: 'it is gone' } })).toMatch(/command\/c {2}it is gone$/);
  });
});

describe('what is said on the command line', () => {
  it('names variables', () => {
    expect(pairsOf('--env', ['A=1', 'B=x=y', 'C='])).toEqual({ A: '1', B: 'x=y', C: '' });
    expect(() => pairsOf('--env-secret', ['secret'])).toThrow(UsageError);
  });
  it('names times', () => {
    expect([timeOf('15m', 1_000_000), timeOf('2026-01-01T00:00:00Z', 0)]).toEqual([100_000, 1_767_225_600_000]);
    expect(expiryOf('1h', 0)).toBe('1970-01-01T01:00:00.000Z');
    expect(() => timeOf('soon', 0)).toThrow(UsageError);
    expect(() => expiryOf('soon', 0)).toThrow(UsageError);
  });
});
