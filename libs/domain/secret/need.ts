import type { SecretStored } from '#contracts/gen/hostplane/v1/secret.js';
import type { MessageOf } from '#contracts/registry.js';
import { Refusal } from '../refusal.js';

type SiteEventType = 'SiteRequested' | 'SiteFailed' | 'SiteProvisioningStarted' | 'SiteActivated' | 'SiteRetryRequested' | 'SiteDestroyRequested' | 'SiteDestroyed' | 'SiteDataDiscarded';

/** What became of the site that a secret was made for. Data that is kept may come to life again under another site. */
export type SiteLife = 'none' | 'in use' | 'failed' | 'data kept' | 'gone';

/** The site that went on with the data of this one, if any did. */
export function heirOf(history: readonly { readonly type: string; readonly data: unknown }[]): string | undefined {
  const taken = history.find(({ type }) => type === 'SiteDataTakenOver') as MessageOf<'SiteDataTakenOver'> | undefined;
  return taken?.data.heirId;
}

const becomes: Readonly<Partial<Record<SiteEventType, SiteLife>>> = {
  SiteRequested: 'in use', SiteProvisioningStarted: 'in use', SiteActivated: 'in use', SiteRetryRequested: 'in use', SiteFailed: 'failed', SiteDataDiscarded: 'gone',
};

/** How a site's story has ended so far. */
export function lifeOf(history: readonly { readonly type: string; readonly data: unknown }[]): SiteLife {
  let keepsData = false;
  return history.reduce<SiteLife>((life, message) => {
    const event = message as MessageOf<SiteEventType>;
    if (event.type === 'SiteDestroyRequested') keepsData = event.data.keepData;
    if (event.type === 'SiteDestroyed') return keepsData ? 'data kept' : 'gone';
    return becomes[event.type] ?? life;
  }, 'none');
}

/** Refuses to take a secret away from what cannot do without it. */
export function mustBeFree({ name, siteId }: SecretStored, life: SiteLife): void {
  if (isCertificates(name)) throw new Refusal('conflict', `"${name}" is the key of a certificate: revoke or remove the certificate, and its key is forgotten with it.`);
  if (isServers(name)) throw new Refusal('conflict', `The project's own database server needs "${name}" for as long as there is the project.`);
  if (life === 'in use' || life === 'failed') throw new Refusal('conflict', `The site ${siteId} needs "${name}". Destroy the site first.`);
  if (life === 'data kept') throw new Refusal('conflict', `The data of the site ${siteId} is kept, and nobody could open it again without "${name}".`);
}

/** Refuses a new value where what uses the old one would not follow. */
export function mustFollow({ name, siteId }: SecretStored, life: SiteLife): void {
  if (isCertificates(name)) throw new Refusal('conflict', `"${name}" is the key of a certificate: renew the certificate with a new key.`);
  if (isServers(name)) throw new Refusal('conflict', `The database server was set up with "${name}" and would not learn of another value: it cannot be rotated.`);
  if (siteId === '') return;
  if (name.endsWith('/admin-password')) throw new Refusal('conflict', `"${name}" is what the site ${siteId} was installed with, and the site keeps its own: change the password in the site itself.`);
  if (life !== 'failed') throw new Refusal('conflict', `The site ${siteId} uses "${name}" in its database and its container, and only provisioning it again brings both a new value: a site that failed, and is retried afterwards, can have one.`);
}

const isCertificates = (name: string): boolean => name.startsWith('certificate/');
const isServers = (name: string): boolean => name.startsWith('project/') || name.startsWith('host/');
