/** Media types of a site's files by extension (IANA's registry; text/javascript by RFC 9239). Others are application/octet-stream. */
export const mimeTypes: Readonly<Record<string, readonly string[]>> = {
  'application/atom+xml': ['atom'],
  'application/epub+zip': ['epub'],
  'application/gzip': ['gz', 'tgz'],
  'application/json': ['json', 'map'],
  'application/ld+json': ['jsonld'],
  'application/manifest+json': ['webmanifest'],
  'application/msword': ['doc'],
  'application/pdf': ['pdf'],
  'application/rss+xml': ['rss'],
  'application/rtf': ['rtf'],
  'application/vnd.ms-excel': ['xls'],
  'application/vnd.ms-fontobject': ['eot'],
  'application/vnd.ms-powerpoint': ['ppt'],
  'application/vnd.openxmlformats-officedocument.presentationml.presentation': ['pptx'],
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': ['xlsx'],
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': ['docx'],
  'application/wasm': ['wasm'],
  'application/x-7z-compressed': ['7z'],
  'application/x-tar': ['tar'],
  'application/xhtml+xml': ['xhtml'],
  'application/zip': ['zip'],
  'audio/aac': ['aac'],
  'audio/flac': ['flac'],
  'audio/midi': ['mid', 'midi'],
  'audio/mp4': ['m4a'],
  'audio/mpeg': ['mp3'],
  'audio/ogg': ['oga', 'ogg', 'opus'],
  'audio/wav': ['wav'],
  'font/otf': ['otf'],
  'font/ttf': ['ttf'],
  'font/woff': ['woff'],
  'font/woff2': ['woff2'],
  'image/apng': ['apng'],
  'image/avif': ['avif'],
  'image/bmp': ['bmp'],
  'image/gif': ['gif'],
  'image/jpeg': ['jpeg', 'jpg'],
  'image/jxl': ['jxl'],
  'image/png': ['png'],
  'image/svg+xml': ['svg'],
  'image/tiff': ['tif', 'tiff'],
  'image/webp': ['webp'],
  'image/x-icon': ['ico'],
  'text/calendar': ['ics'],
  'text/css': ['css'],
  'text/csv': ['csv'],
  'text/html': ['htm', 'html'],
  'text/javascript': ['js', 'mjs'],
  'text/markdown': ['md'],
  'text/plain': ['log', 'txt'],
  'text/vtt': ['vtt'],
  'text/xml': ['xml', 'xsl'],
  'video/mp2t': ['ts'],
  'video/mp4': ['m4v', 'mp4'],
  'video/mpeg': ['mpeg', 'mpg'],
  'video/ogg': ['ogv'],
  'video/quicktime': ['mov'],
  'video/webm': ['webm'],
};

/** Types that are text and get `charset=utf-8`. */
export const textTypes = ['application/json', 'application/manifest+json', 'application/xhtml+xml', 'image/svg+xml', 'text/calendar', 'text/css', 'text/csv', 'text/javascript', 'text/markdown', 'text/plain', 'text/vtt', 'text/xml'];

const byExtension = new Map(Object.entries(mimeTypes).flatMap(([type, extensions]) => extensions.map((extension) => [extension, type] as const)));

/** The Content-Type of a file by its path. */
export function contentTypeOf(path: string): string {
  const type = byExtension.get(/\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? '') ?? 'application/octet-stream';
  return type === 'text/html' || textTypes.includes(type) ? `${type}; charset=utf-8` : type;
}
