// Which part of the code may import which. A room imports only rooms before it in this list.
const rooms = ['contracts', 'domain', 'content', 'api', 'eventstore', 'messaging', 'providers', 'boot'];
const tests = '\\.(spec|contract)\\.ts$|^test/';

/** One rule a room: nothing that comes after it, no app, no start-up code. */
const direction = rooms.map((room, at) => ({
  name: `${room}-imports-only-what-is-before-it`,
  severity: 'error',
  comment: `The order is ${rooms.join(' → ')} → apps.`,
  from: { path: `^libs/${room}/`, pathNot: tests },
  to: { path: [...rooms.slice(at + 1).map((later) => `^libs/${later}/`), '^apps/', '^infra/', '^test/'] },
}));

/** The files of libs/domain that decide, and the one app that may: the owner of their streams. Their types are free. */
const owners = {
  lifecycle: ['access/members', 'site/(site|decide|evolve)', 'project/project', 'network/pool', 'naming/claim', 'backup/backup', 'operation/(operation|workflows)'],
  domains: ['route/route', 'domain-name/(domain-name|decide|evolve)', 'certificate/(certificate|decide|evolve)'],
  secrets: ['secret/(keyring|secret|vault)'],
  provisioner: ['answers', 'usage/usage'],
  'api-gateway': ['token/token'],
};

const deciders = Object.entries(owners).map(([app, files]) => ({
  name: `only-${app}-decides-what-it-owns`,
  severity: 'error',
  comment: 'One writer a stream: ask the owner instead.',
  from: { path: '^(libs|apps|infra)/', pathNot: [`^apps/${app}/`, '^libs/domain/', tests] },
  to: { path: `^libs/domain/(${files.join('|')})\\.ts$`, dependencyTypesNot: ['type-only'] },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...direction,
    ...deciders,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    {
      name: 'no-orphans',
      severity: 'error',
      comment: 'A file that nothing imports and that is no entry is dead.',
      from: { orphan: true, path: '^(libs|apps)/', pathNot: ['\\.d\\.ts$', '/main\\.ts$', '\\.spec\\.ts$', '/tsconfig', '^libs/contracts/gen/', '\\.(sql|json|html)$'] },
      to: {},
    },
    {
      name: 'apps-never-import-apps',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'adapters-never-import-adapters',
      severity: 'error',
      comment: 'What two of them need is a file in libs/providers, or in libs/providers/edge for edges.',
      from: { path: '^libs/providers/([^/]+)/', pathNot: [tests, '^libs/providers/(contract|edge)/'] },
      to: { path: '^libs/providers/[^/]+/', pathNot: '^libs/providers/($1|edge)/' },
    },
    {
      name: 'only-a-module-names-an-adapter',
      severity: 'error',
      comment: 'Which vendor is used is said in *.module.ts, nowhere else.',
      from: { path: '^(libs|apps)/', pathNot: ['\\.module\\.ts$', '^libs/providers/', tests] },
      to: { path: '^libs/providers/[^/]+/' },
    },
    {
      name: 'nest-only-in-apps-messaging-boot',
      severity: 'error',
      from: { path: '^libs/', pathNot: ['^libs/(messaging|boot)/'] },
      to: { path: 'node_modules/(@nestjs/|rxjs/)' },
    },
    {
      name: 'domain-imports-nothing-from-outside',
      severity: 'error',
      from: { path: '^libs/domain/', pathNot: tests },
      to: { pathNot: '^libs/(domain|contracts)/' },
    },
    {
      name: 'only-declared-packages',
      severity: 'error',
      from: { path: '^(libs|apps|infra|test)/' },
      to: { dependencyTypes: ['npm-no-pkg'], pathNot: 'node_modules/@jest/globals/' },
    },
    {
      name: 'product-needs-no-dev-package',
      severity: 'error',
      from: { path: '^(libs|apps)/', pathNot: tests },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: 'node_modules/@types/' },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules|^dist/' },
    exclude: { path: '^(dist|\\.hostplane)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['types', 'import', 'node', 'default'], extensions: ['.ts', '.js', '.mjs', '.json'] },
  },
};
