import type { Decider } from '../decider.js';
import { Refusal } from '../refusal.js';
import { secretDecider, type SecretEventType, type SecretState } from './secret.js';

/** Something that needs a secret: a variable of an app's environment, and the secret that is its value. */
export interface Need {
  readonly variable: string;
  readonly secret: string;
}

/** Nothing follows, or a refusal: for the append that makes what needs a secret, so that it is not revoked in the same moment. */
export const secretGuard: Decider<SecretState, Need, SecretEventType> = {
  category: secretDecider.category,
  initial: secretDecider.initial,
  decide({ variable, secret }, state) {
    if (state.status === 'stored') return [];
    const why = state.status === 'revoked' ? `The secret "${secret}" was revoked` : `There is no secret "${secret}" in the project`;
    throw new Refusal('invalid', `${why}: store a value under this name first.`, `env.${variable}`);
  },
  evolve: secretDecider.evolve,
};
