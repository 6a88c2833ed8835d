import { randomUUID } from 'node:crypto';
import { BusClient } from '#messaging/bus-client.js';
import { hostKeyring, hostRootPasswordKey } from '#domain/naming/naming.js';
import { Vault } from '../../apps/provisioner/vault.js';
import { send, visit, type SiteView, type Visit } from './api.js';
import { silent } from './bus.js';
import type { Plane } from './plane.js';

/** Asks the bus as its administrator. */
export async function onBus<T>(plane: Plane, work: (bus: BusClient) => Promise<T>): Promise<T> {
  const bus = await BusClient.connect({ url: plane.natsUrl, app: 'admin', log: silent });
  try {
    return await work(bus);
  } finally {
    await bus.close();
  }
}

/** A value that the vault has under a name, which nobody is told who is no provisioner. */
export function secretOf(plane: Plane, projectId: string, name: string): Promise<string> {
  const cause = { id: randomUUID(), meta: { correlationId: 'test', causationId: 'test', actor: 'test', owner: 'test' } };
  return onBus(plane, async (bus) => (await new Vault(bus).open({ projectId, names: [name], purpose: 'test' }, cause)).secrets[name]!);
}

/** Of the host's database server. */
export const rootPassword = (plane: Plane): Promise<string> => secretOf(plane, hostKeyring('local'), hostRootPasswordKey('local'));

/** As its owner is told it. */
export async function adminPassword(plane: Plane, { id }: SiteView): Promise<string> {
  return String((await plane.api.call('POST', `/sites/${id}/password/reveal`)).body['password']);
}

/** Somebody who is signed in to a WordPress site. */
export class Author {
  private constructor(
    private readonly url: string,
    private readonly cookie: string,
    private readonly nonce: string,
  ) {}

  /** Undefined when the site does not let them in. */
  static async signIn(url: string, user: string, password: string): Promise<Author | undefined> {
    const form = new URLSearchParams({ log: user, pwd: password, 'wp-submit': 'Log In', redirect_to: `${url}/wp-admin/`, testcookie: '1' }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded', cookie: 'wordpress_test_cookie=WP%20Cookie%20check' };
    const answer = await send(`${url}/wp-login.php`, { method: 'POST', headers, body: form });
    if (answer.status !== 302) return undefined;
    const cookie = (answer.headers['set-cookie'] as string[]).map((line) => line.split(';')[0]).join('; ');
    const nonce = await visit(`${url}/wp-admin/admin-ajax.php?action=rest-nonce`, { cookie });
    return new Author(url, cookie, nonce.body);
  }

  dashboard(): Promise<Visit> {
    return visit(`${this.url}/wp-admin/`, { cookie: this.cookie });
  }

  /** Publishes a post and answers its address. */
  async publish(title: string, content: string): Promise<string> {
    const { link } = await this.rest('posts', 'application/json', JSON.stringify({ title, content, status: 'publish' }));
    return link!;
  }

  /** Uploads a picture and answers its address. */
  async upload(name: string, bytes: Uint8Array): Promise<string> {
    const { source_url: source } = await this.rest('media', 'image/png', bytes, { 'content-disposition': `attachment; filename="${name}"` });
    return source!;
  }

  private async rest(what: string, type: string, body: string | Uint8Array, more: Record<string, string> = {}): Promise<Record<string, string | undefined>> {
    const headers = { cookie: this.cookie, 'x-wp-nonce': this.nonce, 'content-type': type, ...more };
    const answer = await send(`${this.url}/wp-json/wp/v2/${what}`, { method: 'POST', headers, body });
    if (answer.status !== 201) throw new Error(`${what}: ${answer.status} ${answer.body.slice(0, 500)}`);
    return JSON.parse(answer.body) as Record<string, string | undefined>;
  }
}

/** A picture of one dot. */
export const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
