import type { SiteRequested } from '#contracts/gen/hostplane/v1/site.js';
import { Refusal } from '../refusal.js';

/** Runtimes that can run a kind of site, the default first. */
export const runtimesFor: Readonly<Record<string, readonly string[]>> = {
  static: ['files', 'docker'],
  app: ['docker'],
};

/** Refuses a request whose parts do not fit together, naming the field. */
export function checkRequest(request: SiteRequested): void {
  const runtimes = runtimesFor[request.kind];
  if (!runtimes) throw new Refusal('invalid', `"${request.kind}" is not a kind of site. Choose one of: ${Object.keys(runtimesFor).join(', ')}.`, 'kind');
  if (!runtimes.includes(request.runtime)) {
    throw new Refusal('invalid', `A site of the kind ${request.kind} cannot run on "${request.runtime}". Choose one of: ${runtimes.join(', ')}.`, 'runtime');
  }
  if (request.kind === 'app') checkApp(request);
  else if (request.app) throw new Refusal('invalid', `A site of the kind ${request.kind} takes no image, port or environment.`, 'image');
}

/** An image reference as the engine's reference grammar has it, kept to what is safe to print and to store. */
const IMAGE = /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?::[0-9]+)?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$/;

function checkApp({ app }: SiteRequested): void {
  if (!app) throw new Refusal('invalid', 'An app needs an image.', 'image');
  if (app.image.length > 255 || !IMAGE.test(app.image)) throw new Refusal('invalid', `"${app.image.slice(0, 80)}" is not an image reference such as nginx:1.27 or registry.example.org/team/shop@sha256:….`, 'image');
  if (!Number.isInteger(app.port) || app.port < 1 || app.port > 65_535) throw new Refusal('invalid', `The port ${app.port} is not between 1 and 65535.`, 'port');
  if (!/^\/[\x21-\x7e]{0,1023}$/.test(app.healthPath)) throw new Refusal('invalid', `"${app.healthPath.slice(0, 80)}" is not a path that begins with a slash.`, 'healthPath');
  if (Object.keys(app.env).length > 0) throw new Refusal('invalid', 'The values of the environment must be sealed to the key of the project.', 'env');
  for (const { name, box } of app.sealedEnv) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,199}$/.test(name)) throw new Refusal('invalid', `"${name.slice(0, 80)}" is not a name of an environment variable.`, 'env');
    if (!/^[A-Za-z0-9+/]{100,}={0,2}$/.test(box)) throw new Refusal('invalid', `The value of ${name} is not sealed.`, `env.${name}`);
  }
  if (new Set(app.sealedEnv.map(({ name }) => name)).size < app.sealedEnv.length) throw new Refusal('invalid', 'A variable of the environment is there twice.', 'env');
}
