import fc from 'fast-check';
import type { EdgeRules } from '#contracts/gen/hostplane/v1/edge_rules.js';

/** Text as an attacker would choose it to break out of a configuration. */
export const hostileText = fc.oneof(
  fc.array(fc.constantFrom('a', '.', ';', '"', "'", '{', '}', '\\', '$', '$uri', '\n', '\r\n', '\0', ' ', '#', '~', '*', '/', '..', ':', '}server{', ';include /etc/passwd;', '";}', "';}", '\u2028', '\ud800', '${', '`', 'é', '💩', '10.0.0.0/8', '::/0', 'all', 'off'), { maxLength: 10 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

const number = fc.oneof(fc.nat(), fc.constantFrom(-1, 0.5, NaN, Infinity, 2 ** 60, '1; return 200' as never));
const hash = fc.oneof(fc.constant(`$2b$05$${'a'.repeat(53)}`), hostileText);

/** Rules of which any part may be hostile. */
export const hostileRules: fc.Arbitrary<EdgeRules> = fc.record({
  httpsOnly: fc.boolean(),
  hsts: fc.option(fc.record({ maxAgeSeconds: number, includeSubdomains: fc.boolean(), preload: fc.boolean() }), { nil: undefined }),
  maxBodyBytes: number,
  targetTimeoutSeconds: number,
  users: fc.array(fc.record({ name: fc.oneof(fc.constantFrom('ann', 'bob'), hostileText), passwordHash: hash }), { maxLength: 2 }),
  allow: fc.array(fc.oneof(fc.ipV4Extended(), fc.ipV6(), fc.tuple(fc.ipV4(), fc.nat(40)).map((parts) => parts.join('/')), hostileText), { maxLength: 2 }),
  deny: fc.array(fc.oneof(fc.ipV4(), hostileText), { maxLength: 2 }),
  maintenance: fc.option(fc.record({ text: hostileText, retryAfterSeconds: number }), { nil: undefined }),
  errorPages: fc.array(fc.record({ status: fc.constantFrom(404, 502, 503, 200, 99_999), html: fc.oneof(fc.constant(''), hostileText), file: fc.oneof(fc.constantFrom('', '404.html'), hostileText) }), { maxLength: 2 }),
});

/** The same rules with one field hostile: most of them would not get past the first wrong one. */
export const oneHostileRule: fc.Arbitrary<EdgeRules> = fc.tuple(hostileRules, fc.constantFrom<keyof EdgeRules>('httpsOnly', 'hsts', 'maxBodyBytes', 'targetTimeoutSeconds', 'users', 'allow', 'deny', 'maintenance', 'errorPages')).map(([rules, field]) => ({
  httpsOnly: false, hsts: undefined, maxBodyBytes: 0, targetTimeoutSeconds: 0, users: [], allow: [], deny: [], maintenance: undefined, errorPages: [], [field]: rules[field],
}));
