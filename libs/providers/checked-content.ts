import type { ContentRef } from '#contracts/gen/hostplane/v1/site.js';
import type { ContentStore } from '#content/content-store.js';
import { ProviderError } from './provider-error.js';

/** The path of an upload whose bytes were just found to be those that were asked for. */
export async function checkedContent(store: ContentStore, content: ContentRef): Promise<string> {
  const found = await store.check(content.sha256);
  if (found === 'intact') return store.pathOf(content.sha256);
  if (found === 'missing') throw new ProviderError(`The content ${content.sha256} is not on this host.`, true);
  throw new ProviderError(`The stored content ${content.sha256} is damaged: its bytes have another sha256. Upload it again.`, false);
}
