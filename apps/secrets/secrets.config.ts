import { z } from 'zod';
import { folder, logLevel, url } from '#boot/fields.js';

/** What the vault needs of its environment. */
export const secretsConfig = z.object({
  HOSTPLANE_SECRETS_DATABASE_URL: url('postgres', 'postgresql'),
  HOSTPLANE_SECRETS_NATS_URL: url('nats', 'tls'),
  HOSTPLANE_DATA: folder().prefault('.hostplane'),
  /** Keys of the projects, wrapped; and the master key, unless the environment brings it. By default the data folder's `vault`. */
  HOSTPLANE_VAULT_DIR: folder().optional(),
  /** 32 bytes in base64; several separated by commas, of which the first one wraps. Without it a file is used, and made on the first start. */
  HOSTPLANE_MASTER_KEY: z.string().regex(/^[A-Za-z0-9+/]{43}=(\s*,\s*[A-Za-z0-9+/]{43}=)*$/, 'a master key is 32 random bytes in base64, as `openssl rand -base64 32` prints them; several are separated by commas.').optional(),
  /** Which of the providers that are configured wraps; the others only unwrap. By default transit, else env, else file. */
  HOSTPLANE_MASTER_KEY_FROM: z.enum(['file', 'env', 'transit']).optional(),
  /** Key in the transit engine of a HashiCorp Vault, as <name> or <mount>/<name>; with it VAULT_ADDR and VAULT_TOKEN are needed. */
  HOSTPLANE_VAULT_TRANSIT_KEY: z.string().regex(/^([\w-]+\/)*[\w-]+$/, 'a key is called <name> or <mount>/<name>.').optional(),
  VAULT_ADDR: url('http', 'https').optional(),
  VAULT_TOKEN: z.string().min(1).optional(),
  VAULT_NAMESPACE: z.string().min(1).optional(),
  LOG_LEVEL: logLevel().default('info'),
});

export type SecretsSettings = z.infer<typeof secretsConfig>;
