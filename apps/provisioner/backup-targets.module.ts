import { join } from 'node:path';
import { ConfigError } from '#boot/config.js';
import type { BackupTarget } from '#providers/backup-target.js';
import { LocalFolder } from '#providers/local-folder/local-folder.js';
import type { ProvisionerSettings } from './provisioner.config.js';

/** Where backups go (the first), and where earlier ones may be. */
export type BackupTargets = readonly [BackupTarget, ...BackupTarget[]];

/** S3 when a bucket is named, and the local folder, always. */
export async function chooseTargets(settings: ProvisionerSettings): Promise<BackupTargets> {
  const local = new LocalFolder(settings.HOSTPLANE_BACKUP_DIR ?? join(settings.HOSTPLANE_DATA, 'backups'));
  if (!settings.HOSTPLANE_BACKUP_S3_BUCKET) return [local];
  const given = (name: 'HOSTPLANE_BACKUP_S3_ENDPOINT' | 'HOSTPLANE_BACKUP_S3_ACCESS_KEY' | 'HOSTPLANE_BACKUP_S3_SECRET_KEY'): string => {
    const value = settings[name];
    if (!value) throw new ConfigError(`${name} is not set, and HOSTPLANE_BACKUP_S3_BUCKET is: backups on S3 need both.`);
    return value;
  };
  // Loaded only where it is used: the client is large.
  const { S3Target } = await import('#providers/s3/s3-target.js');
  const s3 = new S3Target({
    endpoint: given('HOSTPLANE_BACKUP_S3_ENDPOINT'),
    region: settings.HOSTPLANE_BACKUP_S3_REGION,
    bucket: settings.HOSTPLANE_BACKUP_S3_BUCKET,
    accessKey: given('HOSTPLANE_BACKUP_S3_ACCESS_KEY'),
    secretKey: given('HOSTPLANE_BACKUP_S3_SECRET_KEY'),
    prefix: settings.HOSTPLANE_BACKUP_S3_PREFIX.replace(/^\/+|\/+$/g, ''),
  });
  return [s3, local];
}
