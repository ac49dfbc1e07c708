import { ensureClusterTools } from './cluster-tools.ts'
import { runSteps } from './steps.ts'

/**
 * What `npm run test:cluster` runs: the programs of a Kubernetes cluster (built once where they are not found), the bundle,
 * then the tests of `test/cluster/`, which start the cluster and stop it. Arguments go on to vitest. Needs root.
 */
process.exitCode = await runSteps(async () => {
  await ensureClusterTools((line) => console.log(`tools: ${line}`))
}, [
  { title: 'build', command: ['npm', 'run', '--silent', 'build'] },
  {
    title: 'test:cluster',
    command: ['npx', '--no-install', 'vitest', 'run', '--config', 'vitest.cluster.config.ts', ...process.argv.slice(2)],
  },
])
