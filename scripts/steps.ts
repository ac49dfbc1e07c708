import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** A step of a run: what it is called and the command line. */
export interface Step {
  readonly title: string
  readonly command: readonly [string, ...string[]]
}

/** See that what the steps need is there, then take them one by one up to the first that fails. Resolves with the exit code. */
export async function runSteps(prepare: () => Promise<void>, steps: readonly Step[]): Promise<number> {
  try {
    await prepare()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return 1
  }
  for (const step of steps) {
    console.log(`\n── ${step.title}`)
    if (!(await run(step))) {
      console.error(`${step.title} failed`)
      return 1
    }
  }
  return 0
}

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
