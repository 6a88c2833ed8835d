import { z } from 'zod';
import { baseDomain, bindAddress, bytes, folder, hostId, logLevel, oneOf, port, portRange, ranges, tunnelId, url, wholeNumber } from '#boot/fields.js';

/** What a host's provisioner needs of its environment. */
export const provisionerConfig = z.object({
  HOSTPLANE_PROVISIONER_DATABASE_URL: url('postgres', 'postgresql'),
  HOSTPLANE_PROVISIONER_NATS_URL: url('nats', 'tls'),
  HOSTPLANE_HOST_ID: hostId().default('local'),
  HOSTPLANE_DATA: folder().prefault('.hostplane'),
  HOSTPLANE_BIND: bindAddress().default('127.0.0.1'),
  HOSTPLANE_EDGE_HTTP_PORT: port().default(8080),
  HOSTPLANE_EDGE_HTTPS_PORT: port().default(8443),
  HOSTPLANE_BASE_DOMAIN: baseDomain().default('localhost'),
  /** auto: a local nginx when there is one, else nginx in a container when there is an engine with the image, else the embedded edge. */
  HOSTPLANE_EDGE: oneOf('auto', 'nginx', 'nginx-container', 'embedded').default('auto'),
  /** Whether visitors are served on after the provisioner was stopped in good order; after a crash they always are. */
  HOSTPLANE_EDGE_STAYS: oneOf('yes', 'no').default('yes'),
  /** auto: Docker when an engine answers. off: this host runs static sites from files only. */
  HOSTPLANE_DOCKER: oneOf('auto', 'on', 'off').default('auto'),
  HOSTPLANE_NGINX_IMAGE: z.string().default('nginx:1.28'),
  HOSTPLANE_STATIC_IMAGE: z.string().default('busybox:1.37'),
  /** `{php}` stands for the version of PHP that a site asks for. */
  HOSTPLANE_WORDPRESS_IMAGE: z.string().default('wordpress:6.8-php{php}-apache'),
  /** Of sites that ask for none. */
  HOSTPLANE_PHP_VERSION: z.string().regex(/^[0-9]\.[0-9]{1,2}$/, 'a version of PHP is like 8.3.').default('8.3'),
  HOSTPLANE_DATABASE_IMAGE: z.string().default('mariadb:11.8'),
  HOSTPLANE_DATABASE_MEMORY_LIMIT: bytes().default(1024 ** 3),
  /** Greatest body of a request that a visitor sends to a site. */
  HOSTPLANE_EDGE_MAX_BODY_BYTES: bytes().default(1024 ** 3),
  /** Ranges of proxies that are believed who a visitor is; without it Cloudflare's. */
  HOSTPLANE_PROXY_RANGES: ranges().optional(),
  /** on: a balancer before the edge says who a visitor is by the PROXY protocol, on every connection. Only nginx can. */
  HOSTPLANE_EDGE_PROXY_PROTOCOL: oneOf('on', 'off').default('off'),
  HOSTPLANE_MEMORY_LIMIT: bytes().default(512 * 1024 ** 2),
  /** Thousandths of a core that a container may use. */
  HOSTPLANE_CPU_LIMIT_MILLIS: wholeNumber(10, 1_000_000).default(1000),
  HOSTPLANE_PIDS_LIMIT: wholeNumber(8, 100_000).default(256),
  /** How long a new container may take until it is healthy. */
  HOSTPLANE_HEALTH_DEADLINE_SECONDS: wholeNumber(1, 3600).default(60),
  /** How often it is looked whether what is meant to run does; 0: never. */
  HOSTPLANE_OBSERVE_SECONDS: wholeNumber(0, 3600).default(10),
  /** How often it is measured what sites have written into volumes and databases; 0: never. */
  HOSTPLANE_MEASURE_SECONDS: wholeNumber(0, 86_400).default(300),
  /** How long whoever runs a command in a site is kept waiting for its end; the command goes on. */
  HOSTPLANE_COMMAND_SECONDS: wholeNumber(1, 280).default(280),
  /** With the token: apps and WordPress run at this Coolify unless somebody asks for docker. */
  COOLIFY_API_URL: url('http', 'https').optional(),
  COOLIFY_API_TOKEN: z.string().optional(),
  /** Of its servers the one to use; needed where there are several. */
  COOLIFY_SERVER_UUID: z.string().optional(),
  /** One network for all projects, instead of one each. */
  COOLIFY_DESTINATION_UUID: z.string().optional(),
  /** Where the edge reaches the server's ports, when it is not the address that Coolify has of it. */
  COOLIFY_SERVER_ADDRESS: z.string().optional(),
  COOLIFY_PORTS: portRange().prefault('20000-29999'),
  /** How often a request to it is sent until the work is handed back. */
  COOLIFY_ATTEMPTS: wholeNumber(1, 20).default(5),
  /** It takes 200 of a token (its API_RATE_LIMIT): some are left to whoever else uses it. */
  COOLIFY_REQUESTS_PER_MINUTE: wholeNumber(10, 100_000).default(180),
  /** Where backups are kept, unless a bucket is named. */
  HOSTPLANE_BACKUP_DIR: folder().optional(),
  /** A storage that speaks S3; its buckets are asked for by path. */
  HOSTPLANE_BACKUP_S3_ENDPOINT: url('http', 'https').optional(),
  HOSTPLANE_BACKUP_S3_REGION: z.string().default('us-east-1'),
  /** Backups go there when it is named. */
  HOSTPLANE_BACKUP_S3_BUCKET: z.string().optional(),
  HOSTPLANE_BACKUP_S3_ACCESS_KEY: z.string().optional(),
  HOSTPLANE_BACKUP_S3_SECRET_KEY: z.string().optional(),
  /** Put before the key of each backup. */
  HOSTPLANE_BACKUP_S3_PREFIX: z.string().default('hostplane'),
  /** local: by a cloudflared of this host, whose file we keep. cloudflare: one whose configuration is kept there. */
  HOSTPLANE_TUNNEL: oneOf('off', 'local', 'cloudflare').default('off'),
  HOSTPLANE_TUNNEL_ID: tunnelId().optional(),
  /** Where the tunnel leads its visitors, when it is not the edge of this host as cloudflared sees it. */
  HOSTPLANE_TUNNEL_SERVICE: z.string().regex(/^https?:\/\/[^/?#@\s]+$/, 'a scheme and an address without a path are needed, for example http://127.0.0.1:8080.').optional(),
  HOSTPLANE_TUNNEL_ACCOUNT_ID: z.string().regex(/^[0-9a-f]{32}$/, 'an account id has 32 of 0-9 and a-f.').optional(),
  /** Needs Cloudflare Tunnel Edit of that account. */
  HOSTPLANE_TUNNEL_API_TOKEN: z.string().min(1, 'a token is needed.').optional(),
  HOSTPLANE_CLOUDFLARE_API_URL: url('https', 'http').default('https://api.cloudflare.com/client/v4'),
  HOSTPLANE_CLOUDFLARE_TIMEOUT_MS: wholeNumber(100, 120_000).default(15_000),
  /** The tunnel's credentials file, as `cloudflared tunnel create` wrote it. */
  HOSTPLANE_TUNNEL_CREDENTIALS: z.string().optional(),
  /** cloudflared's config.yml; without it one in the data folder. */
  HOSTPLANE_TUNNEL_CONFIG: z.string().optional(),
  HOSTPLANE_TUNNEL_METRICS: z.string().regex(/^[\w.[\]:-]+:\d{1,5}$/, 'an address with a port is needed, for example 127.0.0.1:20241.').default('127.0.0.1:20241'),
  HOSTPLANE_TUNNEL_COMMAND: z.string().min(1, 'a command is needed.').default('cloudflared'),
  /** Restarts a cloudflared that somebody else runs, in place of one that we run. */
  HOSTPLANE_TUNNEL_RESTART: z.string().min(1, 'a command is needed.').optional(),
  HOSTPLANE_TUNNEL_READY_SECONDS: wholeNumber(1, 600).default(30),
  LOG_LEVEL: logLevel().default('info'),
}).superRefine(({ COOLIFY_API_URL: address, COOLIFY_API_TOKEN: token }, context) => {
  if (address !== undefined && token === undefined) context.addIssue({ code: 'custom', path: ['COOLIFY_API_TOKEN'], message: 'COOLIFY_API_URL needs a token.' });
  if (token !== undefined && address === undefined) context.addIssue({ code: 'custom', path: ['COOLIFY_API_URL'], message: 'COOLIFY_API_TOKEN needs an address, for example https://coolify.example.com.' });
});

export type ProvisionerSettings = z.infer<typeof provisionerConfig>;
