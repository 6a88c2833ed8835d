import { describe, expect, it } from '@jest/globals';
import { given } from '../../../test/support/given.js';
import { commandDecider } from './command.js';
import { wpProgram } from './wp-program.js';

const ids = { commandId: 'c', siteId: 's', projectId: 'p', hostId: 'local' };
const command = { ...ids, program: 'wp user create' };
const started = { type: 'CommandStarted', data: command } as const;
const ended = { type: 'CommandEnded', data: { ...ids, exitCode: 3, error: '' } } as const;
const start = { type: 'StartCommand', command } as const;
const end = { type: 'EndCommand', exitCode: 3, error: '' } as const;

describe('a command in a site', () => {
  it('is recorded before it is run, and how it ended afterwards, once', () => {
    given(commandDecider).when(start).then(started);
    given(commandDecider, started).when(start).then();
    given(commandDecider, started).when(end).then(ended);
    given(commandDecider, started, ended).when(end).then();
    given(commandDecider).when(end).then();
  });
});

describe('what is told of a call of wp-cli', () => {
  it.each([
    [['user', 'create', 'bob', '--user_pass=hunter2'], 'wp user create'],
    [['option', 'update', 'key', 'hunter2'], 'wp option update'],
    [['search-replace', 'hunter2', 'hunter3'], 'wp search-replace'],
    [['eval', 'echo 1;'], 'wp eval'],
    [['wc', 'hunter2'], 'wp wc'],
    [['--user=admin', 'plugin', 'list'], 'wp'],
    [['plugin', '--status=active', 'list'], 'wp plugin'],
    [['db', 'Hunter2'], 'wp db'],
    [[], 'wp'],
  ])('%j is %s', (argv, program) => expect(wpProgram(argv)).toBe(program));
});
