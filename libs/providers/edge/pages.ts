/** A page that the edge itself answers with. */
export interface EdgePage {
  readonly status: number;
  readonly html: string;
}

/** Headers of the edge's own pages; a site's answers carry only what the site sends. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
  'X-Content-Type-Options': 'nosniff',
};

export const pageType = 'text/html; charset=utf-8';

export const pages = {
  unknown: page(404, 'No site here', 'No site is known by this name. It may have been removed, or the address has a typing mistake.'),
  missing: page(404, 'Page not found', 'This site has no page at this address.'),
  stopped: page(503, 'Site stopped', 'The owner has stopped this site. It is not served until it is started again.'),
  unreachable: page(502, 'Site does not answer', 'The site is known but did not answer. Try again in a moment.'),
  denied: page(403, 'Not allowed', 'This site does not take visitors from your address.'),
} as const satisfies Record<string, EdgePage>;

/** What visitors are told while a site is worked on; an empty text has words of its own. */
export function maintenancePage(text: string): string {
  const said = text.trim() === '' ? 'This site is being worked on, and will be back soon.' : text.trim();
  const escaped = said.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return page(503, 'Back soon', escaped.replace(/\r?\n/g, '<br>')).html;
}

function page(status: number, title: string, text: string): EdgePage {
  const style = 'body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem;color:#223}h1{font-size:1.4rem}';
  return {
    status,
    html: `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><style>${style}</style><h1>${title}</h1><p>${text}</p></html>`,
  };
}
