// Stands in for cloudflared, which is not at hand everywhere: reads its config.yml, refuses what it refuses (github.com/cloudflare/cloudflared, ingress/ingress.go), and tells
// how it is at its metrics address like it (`/ready`, `/config`). It connects to nobody: with CLOUDFLARED_FRONT=<port> it takes visitors there in the network's place.
import { existsSync, readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { randomUUID } from 'node:crypto';
import { parse } from 'yaml';

const KNOWN = ['tunnel', 'credentials-file', 'metrics', 'no-autoupdate', 'originRequest', 'ingress'];
const fail = (message) => {
  process.stderr.write(`${new Date().toISOString()} ERR ${message}\n`);
  process.exit(1);
};

const file = process.argv[process.argv.indexOf('--config') + 1];
const config = parse(readFileSync(file, 'utf8')) ?? {};
for (const key of Object.keys(config)) if (!KNOWN.includes(key)) process.stderr.write(`WRN Unknown key ${key}\n`);
const { ingress, originRequest = {} } = config;
const given = process.argv.indexOf('--metrics');
const metrics = given > 0 ? process.argv[given + 1] : config.metrics;
if (!existsSync(config['credentials-file'])) fail(`Tunnel credentials file '${config['credentials-file']}' doesn't exist or is not a file`);
if (!Array.isArray(ingress) || ingress.length === 0) fail('No ingress rules were specified in the config file');
for (const [i, { hostname = '', service = '', path = '' }] of ingress.entries()) {
  const isLast = i === ingress.length - 1;
  if (isLast && (hostname !== '' || path !== '')) fail('The last ingress rule must match all URLs (i.e. it should not have a hostname or path filter)');
  if (!isLast && hostname === '' && path === '') fail(`Rule #${i + 1} is matching the hostname '', but this will match every hostname, meaning the rules which follow it will never be triggered.`);
  if (hostname.lastIndexOf('*') > 0) fail('Hostname patterns can have at most one wildcard character ("*") and it can only be used for subdomains, e.g. "*.example.com"');
  if (/^http_status:[1-5][0-9]{2}$/.test(service)) continue;
  const url = URL.canParse(service) ? new URL(service) : undefined;
  if (!url || url.host === '') fail(`${service} is an invalid address, please make sure it has a scheme and a hostname`);
  if (service.slice(service.indexOf('://') + 3).includes('/')) fail(`${service} is an invalid address, ingress rules don't support proxying to a different path on the origin service. The path will be the same as the eyeball request's path`);
}
if (!/^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$/.test(originRequest.connectTimeout ?? '30s')) fail(`time: invalid duration "${originRequest.connectTimeout}"`);

const connectorId = randomUUID();
const started = Date.now();
/** A test says that it never gets through by a file beside the config. */
const connections = () => (existsSync(`${file}.cut`) || Date.now() - started < 50 ? 0 : 4);
const [host, port] = metrics.split(/:(?=\d+$)/);
createServer((asked, answer) => {
  const readyConnections = connections();
  const status = asked.url === '/ready' && readyConnections === 0 ? 503 : asked.url === '/ready' || asked.url === '/config' ? 200 : 404;
  const said = asked.url === '/config' ? { version: 0, config: { ingress, originRequest: { connectTimeout: 10 }, 'warp-routing': {} } } : { status, readyConnections, connectorId };
  answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said));
}).on('error', (error) => fail(`Error opening metrics server listener: ${error.message}`)).listen(Number(port), host);

const fits = (pattern, name) => pattern === name || (pattern.startsWith('*.') && name.endsWith(pattern.slice(1)));
const front = process.env.CLOUDFLARED_FRONT;
if (front) {
  createServer((asked, answer) => {
    const name = (asked.headers.host ?? '').replace(/:\d+$/, '');
    const { service } = ingress.find(({ hostname }) => hostname === undefined || fits(hostname, name));
    if (service.startsWith('http_status:')) return answer.writeHead(Number(service.slice('http_status:'.length))).end();
    asked.pipe(request(new URL(asked.url, service), { method: asked.method, headers: asked.headers }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    }).on('error', () => answer.writeHead(502).end()));
  }).listen({ port: Number(front), host: '127.0.0.1', reusePort: true });
}
