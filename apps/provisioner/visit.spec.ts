import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { confirmPage } from './visit.js';

const doorAt = (httpPort: number, withinMs: number) => ({ httpPort, connect: () => connect(httpPort, '127.0.0.1'), withinMs });

/** What the edge answers, by hostname. */
const pages: Record<string, { status?: number; location?: string; html?: string }> = {
  'live.localhost': { html: '<title>Tom &amp; Jerry&#8217;s &#8220;Caf&#xe9;&#8221;</title>' },
  'installer.localhost': { status: 302, location: 'http://installer.localhost/wp-admin/install.php' },
  'form.localhost': { html: '<body id="x" class="wp-core-ui language-chooser">Tom & Jerry</body>' },
  'broken.localhost': { status: 500, html: 'Tom & Jerry' },
};

describe('a page that is confirmed', () => {
  const edge = createServer((request, response) => {
    const { status = 200, location, html = '' } = pages[request.headers.host?.split(':')[0] ?? ''] ?? { status: 404 };
    response.writeHead(status, location ? { location } : {}).end(html);
  });
  beforeAll(() => new Promise<void>((listening) => edge.listen(0, '127.0.0.1', listening)));
  afterAll(() => void edge.close());
  const confirm = (hostname: string, expected: string) => confirmPage(doorAt((edge.address() as AddressInfo).port, 100), hostname, expected);

  it.each([`Tom & Jerry's "Café"`, 'Tom & Jerry', ''])('holds its title in the words of HTML: %s', async (expected) => expect(confirm('live.localhost', expected)).resolves.toBeUndefined());
  it.each([
    ['live.localhost', 'Somebody else', /does not hold "Somebody else"/], ['installer.localhost', '', /answers 302 and leads to .*install\.php/], ['form.localhost', 'Tom & Jerry', /not the site but a form/],
    ['broken.localhost', 'Tom & Jerry', /answers 500/], ['nowhere.localhost', '', /answers 404/],
  ])('is not another one: %s for "%s"', async (hostname, expected, message) => {
    await expect(confirm(hostname, expected)).rejects.toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(message) });
  });
  it('is called off as something to be tried again', async () => {
    await expect(confirmPage(doorAt(1, 60_000), 'x.localhost', '', AbortSignal.abort())).rejects.toMatchObject({ retryable: true });
  });
});
