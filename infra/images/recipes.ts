/** A stand-in for an image that a machine without a registry cannot pull: Debian packages unpacked, a few files laid over them. */
export interface Recipe {
  /** Also the folder beside this file with what is laid over. */
  readonly name: string;
  readonly packages: readonly string[];
  /** Whether what the packages depend on comes too; a static program needs nothing. */
  readonly dependencies: boolean;
  /** Folders that must be there and that anybody may write to. */
  readonly writable: readonly string[];
  /** Everything else that was unpacked is left out; all of it when empty. Paths from the root, without a slash. */
  readonly keep: readonly string[];
  /** As a Dockerfile says it. */
  readonly changes: readonly string[];
}

const PATH = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const recipes = {
  /** Serves /srv with busybox' httpd; 2 MB. */
  static: {
    name: 'static',
    packages: ['busybox-static'],
    dependencies: false,
    writable: ['tmp'],
    keep: ['bin/busybox', 'usr/bin/busybox'],
    changes: [PATH, 'CMD ["/bin/busybox","httpd","-f","-p","80","-h","/srv"]', 'EXPOSE 80'],
  },
  /** nginx in the official image's layout, with njs. */
  nginx: {
    name: 'nginx',
    packages: ['nginx-light', 'libnginx-mod-http-js', 'busybox-static'],
    dependencies: true,
    writable: ['tmp', 'var/tmp', 'run', 'var/cache/nginx', 'var/log/nginx', 'var/lib/nginx'],
    keep: [],
    changes: [PATH, 'CMD ["nginx","-g","daemon off;"]', 'EXPOSE 80'],
  },
  /** An app that its environment tells to be slow, unhealthy or short-lived: see app/run. */
  app: {
    name: 'app',
    packages: ['busybox-static'],
    dependencies: false,
    writable: ['tmp'],
    keep: ['bin/busybox', 'usr/bin/busybox'],
    changes: [PATH, 'USER 65534:65534', 'CMD ["/app/run"]', 'EXPOSE 8080'],
  },
} as const satisfies Record<string, Recipe>;

export type ImageName = keyof typeof recipes;

/** How tests name the images, for example hostplane-test/static. */
export function testImage(name: ImageName): string {
  return `hostplane-test/${name}:latest`;
}
