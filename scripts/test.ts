import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ensureTools } from './tools.ts'

/**
 * What `npm test` runs: tools, lint, types and import directions, the bundle (end-to-end tests start what ships), then
 * every test. Arguments go on to vitest, so `npm test -- test/unit` runs a part. Ends with 1 as soon as a step fails.
 */
const root = fileURLToPath(new URL('..', import.meta.url))

/** A step of the run: what it is called and the command line. */
interface Step {
  readonly title: string
  readonly command: readonly [string, ...string[]]
}

const STEPS: readonly Step[] = [
  { title: 'check', command: ['npm', 'run', '--silent', 'check'] },
  { title: 'build', command: ['npm', 'run', '--silent', 'build'] },
  { title: 'test', command: ['npx', '--no-install', 'vitest', 'run', ...process.argv.slice(2)] },
]

function run(step: Step): Promise<boolean> {
  const [program, ...args] = step.command
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(`${program}: ${error.message}`)
      resolve(false)
    })
    child.once('exit', (code) => resolve(code === 0))
  })
}

async function main(): Promise<number> {
  try {
    await ensureTools((line) => console.log(`tools: ${line}`))
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return 1
  }
  for (const step of STEPS) {
    console.log(`\n── ${step.title}`)
    if (!(await run(step))) {
      console.error(`${step.title} failed`)
      return 1
    }
  }
  return 0
}

process.exitCode = await main()
