import type { MessageOf } from '#contracts/registry.js';
import { adminPasswordKey, databasePasswordKey } from '../naming/naming.js';
import type { Site } from './site.js';

/** The vault forgets what opened data that is gone, unless that is what stays. Of data that a site had from another one, the names are the other one's. */
export function forgetPasswords({ request }: Site, dataId: string, stays?: string): readonly MessageOf<'ForgetSecrets'>[] {
  const owner = dataId || request.siteId;
  if (!request.wordpress || owner === (stays === '' ? request.siteId : stays)) return [];
  const names = [databasePasswordKey, adminPasswordKey].map((key) => key(owner));
  return [{ type: 'ForgetSecrets', data: { projectId: request.projectId, names } }];
}
