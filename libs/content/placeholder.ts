/** The page of a site that has no content yet. */
export function placeholderPage(siteName: string): string {
  const name = siteName.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${name}</title>
<style>body{font:1.1rem/1.6 system-ui,sans-serif;display:grid;place-items:center;min-height:90vh;margin:1rem;color:#333}</style></head>
<body><main><h1>${name}</h1><p>This site waits for its first upload.</p></main></body>
</html>
`;
}
