import { describe, expect, it } from '@jest/globals';
import { commandOutput } from './command-output.js';

const BUS_BYTES = 2 ** 20;
const said = (stdout: string, stderr = '') => commandOutput({ exitCode: 0, stdout, stderr }, 1);

describe('what is shown of a command', () => {
  it('is all of it, and how it ended', () => {
    expect(commandOutput({ exitCode: 4, stdout: 'a\n', stderr: 'Grüße 😀' }, 7)).toEqual({ exitCode: 4, stdout: 'a\n', stderr: 'Grüße 😀', isCut: false, position: 7 });
    expect(said('x'.repeat(200_000), 'y'.repeat(200_000)).isCut).toBe(false);
  });

  it.each([['letters', 'a'], ['lines', '0123456789\n'], ['other scripts', '日本語'], ['pictures', '😀'], ['control characters', '\u0001'], ['halves of pictures', '\uDE00'], ['quotes', '"\\']])('fits into an answer: %s', (_, text) => {
    const much = text.repeat(2_000_000 / text.length);
    const shown = said(much, much);
    expect(Buffer.byteLength(JSON.stringify({ value: shown }))).toBeLessThan(BUS_BYTES);
    expect([shown.isCut, much.startsWith(shown.stdout), shown.stdout.length > 70_000, shown.stderr === shown.stdout]).toEqual([true, true, true, true]);
  });

  it('has no half of a letter at its end, unless that was said', () => {
    expect(said(`${'a'.repeat(199_999)}😀`).stdout).toBe('a'.repeat(199_999));
    expect(said('a\uD83D')).toMatchObject({ stdout: 'a\uD83D', isCut: false });
  });

  it('keeps much where only its beginning takes much room', () => {
    const shown = said(`${'\u0001'.repeat(90_000)}${'a'.repeat(100_000)}`);
    expect([shown.isCut, shown.stdout.length > 70_000]).toEqual([true, true]);
  });
});
