import { answers } from '../answers.js';

/** What the vault answers, one stream a project. */
export const vaultDecider = answers<'SecretsReady' | 'SecretsFailed' | 'SecretsRemoved'>('vault');
