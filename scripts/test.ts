import { runSteps } from './steps.ts'
import { ensureTools } from './tools.ts'

/**
 * What `npm test` runs: tools, lint, types and import directions, the bundle (end-to-end tests start what ships), then
 * every test. Arguments go on to vitest, so `npm test -- test/unit` runs a part. Ends with 1 as soon as a step fails.
 */
process.exitCode = await runSteps(
  () => ensureTools((line) => console.log(`tools: ${line}`)),
  [
    { title: 'check', command: ['npm', 'run', '--silent', 'check'] },
    { title: 'build', command: ['npm', 'run', '--silent', 'build'] },
    { title: 'test', command: ['npx', '--no-install', 'vitest', 'run', ...process.argv.slice(2)] },
  ],
)
