import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readConfig } from '#boot/config.js';
import { bindAddress, folder, hostId, port, url, wholeNumber } from '#boot/fields.js';

const schema = z.object({
  HOSTPLANE_DATA: folder().prefault('.hostplane'),
  HOSTPLANE_VAULT_DIR: folder().optional(),
  HOSTPLANE_BIND: bindAddress().default('127.0.0.1'),
  HOSTPLANE_API_PORT: port().default(7080),
  HOSTPLANE_EDGE_HTTP_PORT: port().default(8080),
  HOSTPLANE_EDGE_HTTPS_PORT: port().default(8443),
  HOSTPLANE_HOST_ID: hostId().default('local'),
  HOSTPLANE_REDELIVERY_SECONDS: wholeNumber(1, 300).default(5),
  HOSTPLANE_DELIVERIES: wholeNumber(2, 100).default(10),
  /** Of the embedded servers; any free port when not given. */
  HOSTPLANE_POSTGRES_PORT: port().optional(),
  HOSTPLANE_NATS_PORT: port().optional(),
  HOSTPLANE_NATS_SERVER: z.string().optional(),
  DATABASE_URL: url('postgres', 'postgresql').optional(),
  NATS_URL: url('nats', 'tls').optional(),
});

/** What the launcher reads of the environment; each process reads its own part itself. */
export type Settings = z.infer<typeof schema>;

export function readSettings(env: NodeJS.ProcessEnv): Settings {
  return readConfig(schema, env);
}

/** Where the vault keeps the projects' keys. */
export function vaultFolder({ HOSTPLANE_DATA, HOSTPLANE_VAULT_DIR }: Settings): string {
  return HOSTPLANE_VAULT_DIR ?? join(HOSTPLANE_DATA, 'vault');
}

/** Where the public API is, as this machine reaches it. */
export function apiUrl(settings: Settings): string {
  const { HOSTPLANE_BIND: bind, HOSTPLANE_API_PORT: port } = settings;
  const host = bind === '0.0.0.0' ? '127.0.0.1' : bind === '::' ? '[::1]' : bind.includes(':') ? `[${bind}]` : bind;
  return `http://${host}:${port}`;
}

/** Where apps and WordPress run when nobody says where: at Coolify when it is configured. The control plane is told this, and not how to reach it. */
export function appRuntime(env: NodeJS.ProcessEnv): string {
  return env['HOSTPLANE_APP_RUNTIME'] || (env['COOLIFY_API_URL'] && env['COOLIFY_API_TOKEN'] ? 'coolify' : 'docker');
}

/** The socket of a Docker Engine on this machine, as the environment or the usual place has it. */
export function dockerAddress(env: NodeJS.ProcessEnv, usual = '/var/run/docker.sock'): string | undefined {
  return env['DOCKER_HOST'] || (existsSync(usual) ? `unix://${usual}` : undefined);
}
