/** Import directions (CONTRIBUTING.md): cli -> build | install | cluster -> bundle, images, database -> io -> errors, events, digest. */
const layer = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { path: '^src/', pathNot: [from, ...allowed.map((folder) => `^src/${folder}`), '^src/(errors|events|digest|units)\\.ts$'] },
});

module.exports = {
  forbidden: [
    layer('base-imports-nothing', '^src/(errors|events|digest|units)\\.ts$', []),
    layer('io-stands-below', '^src/io/', []),
    layer('bundle-is-the-format', '^src/bundle/', []),
    layer('images-below-build-and-install', '^src/images/', ['io/', 'bundle/']),
    layer('database-below-install', '^src/database/', ['io/']),
    layer('build-never-meets-install', '^src/build/', ['bundle/', 'images/', 'io/']),
    layer('install-never-meets-build', '^src/install/', ['bundle/', 'images/', 'database/', 'io/']),
    layer('cluster-beside-install', '^src/cluster/', ['bundle/', 'images/', 'database/', 'io/']),
    {
      name: 'steps-never-import-each-other',
      severity: 'error',
      from: { path: '^src/install/steps/([^/]+)\\.ts$' },
      to: { path: '^src/install/steps/', pathNot: '^src/install/steps/$1\\.ts$' },
    },
    {
      name: 'only-cli-constructs-io',
      comment: 'Others take io by parameter; types may be imported.',
      severity: 'error',
      from: { path: '^src/(build|install|cluster|bundle|images|database)/' },
      to: { path: '^src/io/(docker|compose|helm|kubectl|postgres)\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'commands-are-imported-lazily',
      severity: 'error',
      from: { path: '^src/cli/program\\.ts$' },
      to: { path: '^src/(build|install|cluster|bundle|images|database|io)/', dependencyTypesNot: ['type-only'] },
    },
    { name: 'no-circles', severity: 'error', from: { path: '^src/' }, to: { circular: true } },
  ],
  options: { doNotFollow: { path: 'node_modules' }, tsPreCompilationDeps: true, tsConfig: { fileName: 'tsconfig.json' } },
};
