import { ProviderError } from '../provider-error.js';
import { LocalKeys, readMasterKey } from './local-keys.js';

/** Master keys from the environment, separated by commas: the first one wraps, all of them unwrap. */
export function envKeys(text: string): LocalKeys {
  const [first, ...rest] = text.split(',').map((one) => readMasterKey(one.trim()));
  if (!first || !rest.every((key) => key !== undefined)) {
    throw new ProviderError('A master key is 32 random bytes in base64, as `openssl rand -base64 32` prints them; several are separated by commas.', false);
  }
  return new LocalKeys('env', {
    read: () => Promise.resolve([first, ...rest]),
    howToRenew: 'The master key comes from HOSTPLANE_MASTER_KEY: put a new one in front of it there, separated by a comma, and start again; everything is wrapped with it then.',
  });
}
