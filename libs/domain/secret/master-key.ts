import type { MasterKeyRotated } from '#contracts/gen/hostplane/v1/secret.js';
import type { Decider } from '../decider.js';

/** Key of its stream beside those of the projects. */
export const MASTER_KEY = 'master-key';

export interface MasterKeyState {
  /** The one that everything was wrapped with last, as far as it is known. */
  readonly keyId: string | undefined;
}

/** Which master key wraps the keyrings: only its id, and only that it changed. */
export const masterKeyDecider: Decider<MasterKeyState, { type: 'RecordRotation'; rotation: MasterKeyRotated }, 'MasterKeyRotated'> = {
  category: 'vault',
  initial: { keyId: undefined },
  decide: ({ rotation }, { keyId }) => (rotation.toKeyId === keyId ? [] : [{ type: 'MasterKeyRotated', data: rotation }]),
  evolve: (_, { data }) => ({ keyId: data.toKeyId }),
};
