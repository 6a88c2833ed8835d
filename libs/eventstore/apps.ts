/** Apps that have a role in the database, and the categories whose streams each may write. */
export const WRITERS = {
  'api-gateway': ['token'],
  lifecycle: ['project', 'member', 'pool', 'name', 'hostname', 'site', 'backup', 'operation'],
  domains: ['route', 'domain', 'certificate'],
  secrets: ['keyring', 'secret', 'vault'],
  provisioner: ['home', 'workload', 'database', 'archive', 'edge', 'edge-host', 'health', 'usage', 'command'],
  relay: [],
} as const satisfies Record<string, readonly string[]>;

export type App = keyof typeof WRITERS;

export const APPS = Object.keys(WRITERS) as App[];

/** The role that an app signs in with, for example hostplane_api_gateway. */
export function roleOf(app: App): string {
  return `hostplane_${schemaOf(app)}`;
}

/** The schema that holds an app's own tables, for example api_gateway. */
export function schemaOf(app: App): string {
  return app.replaceAll('-', '_');
}
