/** Import directions: docs/ARCHITECTURE.md "Who may import whom". */
const base = '^src/(errors|events|digest|units)\\.ts$';
const layer = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { path: '^src/', pathNot: [from, ...allowed.map((folder) => `^src/${folder}`), base] },
});

module.exports = {
  forbidden: [
    layer('base-imports-nothing', base, []),
    layer('io-stands-below', '^src/io/', []),
    layer('bundle-is-the-format', '^src/bundle/', []),
    layer('policy-is-pure', '^src/policy/', ['bundle/']),
    layer('images-below-build-and-vm', '^src/images/', ['io/', 'bundle/']),
    layer('data-below-vm-and-kubernetes', '^src/data/', ['io/']),
    layer('push-knows-no-kubernetes', '^src/push/', ['bundle/', 'images/', 'io/']),
    layer('build-never-meets-vm-or-kubernetes', '^src/build/', ['bundle/', 'images/', 'io/', 'policy/']),
    layer('vm-never-meets-build-or-kubernetes', '^src/vm/', ['policy/', 'data/', 'bundle/', 'images/', 'io/']),
    layer('kubernetes-never-meets-build-or-vm', '^src/kubernetes/', ['push/', 'policy/', 'data/', 'bundle/', 'images/', 'io/']),
    {
      name: 'steps-never-import-each-other',
      severity: 'error',
      from: { path: '^src/vm/transaction/steps/([^/]+)\\.ts$' },
      to: { path: '^src/vm/transaction/steps/', pathNot: '^src/vm/transaction/steps/$1\\.ts$' },
    },
    {
      name: 'only-cli-constructs-io',
      comment: 'Others take io by parameter; types may be imported.',
      severity: 'error',
      from: { path: '^src/(build|vm|kubernetes|push|policy|bundle|images|data)/' },
      to: { path: '^src/io/(docker|compose|helm|kubectl|postgres)\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'commands-are-imported-lazily',
      severity: 'error',
      from: { path: '^src/cli/program\\.ts$' },
      to: { path: '^src/(build|vm|kubernetes|push|policy|bundle|images|data|io)/', dependencyTypesNot: ['type-only'] },
    },
    { name: 'no-circles-of-folders', severity: 'error', scope: 'folder', from: { path: '^src/' }, to: { circular: true } },
    { name: 'no-circles', severity: 'error', from: { path: '^src/' }, to: { circular: true } },
  ],
  options: { doNotFollow: { path: 'node_modules' }, tsPreCompilationDeps: true, tsConfig: { fileName: 'tsconfig.json' } },
};
