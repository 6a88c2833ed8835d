import { describe, expect, it } from '@jest/globals';
import { ownArchive, parseSources } from './apt-download.js';

const DEB822 = `# the system's own
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://old.example/debian
Suites: bookworm
Components: main
`;

describe('apt sources', () => {
  it('are read as stanzas; what is switched off is left out', () => {
    expect(parseSources(DEB822)).toEqual([
      { mirror: 'http://mirror.example/debian', suites: ['bookworm', 'bookworm-updates'], components: ['main', 'contrib'], signedBy: '/usr/share/keyrings/debian-archive-keyring.gpg' },
      { mirror: 'http://mirror.example/security', suites: ['bookworm-security'], components: ['main'], signedBy: undefined },
    ]);
  });

  it('are read as lines, with and without options', () => {
    const text = '# deb http://no.example x main\ndeb http://a.example/debian bookworm main # mine\ndeb [arch=amd64 signed-by=/k.gpg] https://b.example stable main\n';
    expect(parseSources(text)).toEqual([
      { mirror: 'http://a.example/debian', suites: ['bookworm'], components: ['main'], signedBy: undefined },
      { mirror: 'https://b.example', suites: ['stable'], components: ['main'], signedBy: '/k.gpg' },
    ]);
  });
});

describe("the system's own archive", () => {
  it("is the one with the release's name, not its updates and not somebody else's", () => {
    const archives = parseSources('deb https://other.example bookworm-tools main\n').concat(parseSources(DEB822));
    expect(ownArchive(archives, 'bookworm')?.mirror).toBe('http://mirror.example/debian');
  });
  it('may be known by another name', () => {
    expect(ownArchive(parseSources('deb http://a.example/debian stable main'), 'trixie')?.mirror).toBe('http://a.example/debian');
    expect(ownArchive([], 'trixie')).toBeUndefined();
  });
});
