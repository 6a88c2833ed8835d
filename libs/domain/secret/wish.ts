import type { SecretWish } from '#contracts/gen/hostplane/v1/secret.js';
import { Refusal } from '../refusal.js';

/** Characters that a generated secret is made of, by the name of the alphabet; none of them needs quoting anywhere. */
const alphabets: Readonly<Record<string, string>> = {
  'letters-digits': 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789',
};

/** Length for what has to withstand guessing: 20 letters and digits are 119 bits. */
const LEAST_LENGTH = 20;
const MOST_LENGTH = 256;

/** Refuses a wish that cannot be made or would be weak. */
export function checkWish({ name, length, alphabet }: SecretWish): void {
  if (!/^[a-z0-9][a-z0-9/-]{0,199}$/.test(name)) throw new Refusal('invalid', `"${name.slice(0, 80)}" is not a name of a secret: a to z, digits, hyphens and slashes are allowed.`, 'name');
  if (!alphabets[alphabet]) throw new Refusal('invalid', `"${alphabet.slice(0, 80)}" is not an alphabet. Choose one of: ${Object.keys(alphabets).join(', ')}.`, 'alphabet');
  if (!Number.isInteger(length) || length < LEAST_LENGTH || length > MOST_LENGTH) {
    throw new Refusal('invalid', `A secret of ${length} characters cannot be made: ${LEAST_LENGTH} to ${MOST_LENGTH} are allowed.`, 'length');
  }
}

/** Refuses a name that a member cannot give: those with a slash are the plane's own. */
export function checkOwnName(name: string, field = 'name'): void {
  if (!/^[a-z0-9][a-z0-9-]{0,99}$/.test(name)) throw new Refusal('invalid', `"${name.slice(0, 80)}" cannot be the name of a secret: small letters, digits and hyphens are allowed, at most 100, and no hyphen first.`, field);
}

/** The secret that is wished for. `dice(n)` gives a whole number below n, each equally likely, that nobody can foresee. */
export function generated({ length, alphabet }: SecretWish, dice: (below: number) => number): string {
  const characters = alphabets[alphabet] ?? '';
  return Array.from({ length }, () => characters.charAt(dice(characters.length))).join('');
}
