import { z } from 'zod';

/** What is read of Coolify's answers; whatever else they hold is let be. */

const text = z.string().nullish();

export const created = z.object({ uuid: z.string() });

export const servers = z.array(
  z.object({
    uuid: z.string(),
    name: z.string(),
    ip: z.string(),
    is_reachable: z.boolean().nullish(),
    settings: z.object({ is_reachable: z.boolean().nullish(), is_build_server: z.boolean().nullish() }).nullish(),
  }),
);
export type ListedServer = z.infer<typeof servers>[number];

export const projects = z.array(z.object({ uuid: z.string(), name: z.string(), description: text }));
export const project = z.object({ uuid: z.string(), environments: z.array(z.object({ uuid: z.string(), name: z.string() })) });
export const destinations = z.array(z.object({ uuid: z.string(), network: z.string() }));

export const application = z.object({
  uuid: z.string(),
  name: z.string(),
  description: text,
  /** For example running:healthy, running:unknown (no check), restarting:unhealthy, exited:unhealthy. */
  status: text,
  ports_mappings: text,
  health_check_enabled: z.boolean().nullish(),
  health_check_path: text,
  created_at: text,
});
export type ListedApplication = z.infer<typeof application>;
export const applications = z.array(application);

/** A service: a compose file with what runs of it. */
export const stack = z.object({
  uuid: z.string(),
  name: z.string(),
  description: text,
  /** Only for a token that may read what is sensitive. */
  docker_compose_raw: text,
  created_at: text,
});
export type ListedStack = z.infer<typeof stack>;
export const stacks = z.array(stack);

/** Of all that is on a server; a service's status is described here alone. For example running:healthy, degraded:unhealthy, exited. */
export const resources = z.array(z.object({ uuid: z.string(), status: text }));

export const deployed = z.object({ deployments: z.array(z.object({ message: text, deployment_uuid: text })) });

export const deployment = z.object({
  deployment_uuid: z.string(),
  /** queued, in_progress, finished, failed or cancelled-by-user. */
  status: z.string(),
  /** JSON; only for a token that may read what is sensitive. */
  logs: text,
});
export type ListedDeployment = z.infer<typeof deployment>;
/** The description has a bare list; what is sent has a count beside it. */
export const deployments = z.union([z.array(deployment), z.object({ deployments: z.array(deployment) }).transform((answer) => answer.deployments)]);

export const containerLog = z.object({ logs: text });

const entries = z.array(z.object({ output: text, hidden: z.boolean().nullish() }));

/** What people may see of a deployment's log; undefined where the token may not read it. */
export function visibleLines(logs: string | null | undefined): string[] | undefined {
  if (logs === null || logs === undefined) return undefined;
  try {
    return entries.parse(JSON.parse(logs)).flatMap(({ output, hidden }) => (output && !hidden ? output.split('\n') : []));
  } catch {
    return logs.split('\n');
  }
}

/** restarting and degraded ones are up in part: they have to be stopped like those that run. */
export const isRunning = (status: string | null | undefined): boolean => /^(running|starting|restarting|degraded|paused)/.test(status ?? '');
export const isStopped = (status: string | null | undefined): boolean => /^(exited|created|removing|dead)?(:|$)/.test(status ?? '');
