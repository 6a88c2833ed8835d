import { describe, expect, it } from '@jest/globals';
import { createLogger, nestLogger, type Logger } from './logger.js';

function written(write: (log: Logger) => void, level = 'debug'): Record<string, unknown>[] {
  const lines: string[] = [];
  write(createLogger({ app: 'lifecycle', level, destination: { write: (line) => lines.push(line) } }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('createLogger', () => {
  it('writes one JSON line with the app, the level in words and the time', () => {
    expect(written((log) => log.info({ siteId: 's1' }, 'Ready'))).toEqual([
      { level: 'info', time: expect.stringMatching(/^\d{4}-.*Z$/), app: 'lifecycle', siteId: 's1', msg: 'Ready' },
    ]);
  });

  it('hides what hangs under the name of a secret, however deep', () => {
    const [line] = written((log) => log.info({ data: { app: { env: { KEY: 'planted' } } }, req: { headers: { authorization: 'planted' } }, list: [{ adminToken: 'planted' }] }));
    expect(JSON.stringify(line)).not.toContain('planted');
  });

  it('hides tokens and passwords of addresses in any text', () => {
    const [line] = written((log) => log.error({ err: new Error('no route to postgres://app:planted@db:5432/x with hp_plantedplanted') }));
    expect(JSON.stringify(line)).not.toContain('planted');
    expect(JSON.stringify(line)).toContain('postgres://app:[hidden]@db:5432/x');
  });
});

describe('nestLogger', () => {
  it('keeps the context, and the stack of an error', () => {
    const lines = written((log) => nestLogger(log).error('It broke', 'at x.ts:1', 'Router'));
    expect(lines).toMatchObject([{ level: 'error', msg: 'It broke', stack: 'at x.ts:1', context: 'Router' }]);
  });

  it('leaves the start-up lines to those who debug', () => {
    expect(written((log) => nestLogger(log).log('Mapped {/}', 'Router'), 'info')).toEqual([]);
  });
});
