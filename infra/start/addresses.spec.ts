import { describe, expect, it } from '@jest/globals';
import { environmentOf, withoutSecrets } from './addresses.js';

describe('the environment of a process', () => {
  const env = { LOG_LEVEL: 'debug', HOSTPLANE_BIND: '127.0.0.1', DATABASE_URL: 'postgres://admin', NATS_URL: 'nats://admin', DOCKER_HOST: 'unix:///x', HOSTPLANE_ADMIN_TOKEN: 'hp_x', HOSTPLANE_RELAY_NATS_URL: 'nats://r', COOLIFY_API_TOKEN: 't', HOSTPLANE_BACKUP_S3_SECRET_KEY: 's3' };
  const urls = { HOSTPLANE_PROVISIONER_DATABASE_URL: 'p', HOSTPLANE_API_GATEWAY_DATABASE_URL: 'g', HOSTPLANE_API_GATEWAY_NATS_URL: 'gn' };

  it('has the master key only where the vault is', () => {
    const withKey = { ...env, HOSTPLANE_MASTER_KEY: 'k', VAULT_TOKEN: 't' };
    expect(environmentOf(withKey, urls, ['api-gateway', 'secrets'])).toMatchObject({ HOSTPLANE_MASTER_KEY: 'k', VAULT_TOKEN: 't' });
    for (const environment of [environmentOf(withKey, urls, ['provisioner']), withoutSecrets(withKey)]) expect(Object.keys(environment).filter((name) => /MASTER|VAULT/.test(name))).toEqual([]);
  });
  it('has its own addresses, and neither those of others nor an administrator’s nor an engine’s', () => {
    expect(environmentOf(env, urls, ['api-gateway'])).toEqual({ LOG_LEVEL: 'debug', HOSTPLANE_BIND: '127.0.0.1', HOSTPLANE_API_GATEWAY_DATABASE_URL: 'g', HOSTPLANE_API_GATEWAY_NATS_URL: 'gn' });
  });
  it('has a Coolify’s token, and what opens the storage of backups, only on a host', () => {
    expect(environmentOf(env, urls, ['provisioner'])).toMatchObject({ COOLIFY_API_TOKEN: 't', HOSTPLANE_BACKUP_S3_SECRET_KEY: 's3' });
  });
});
