import { spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it, onTestFinished, vi } from 'vitest'

/** Start the watcher from a program, through `between`, and return that program and what the watcher says. */
function started(between: readonly string[]) {
  const watcher = `
    import { watchParent } from ${JSON.stringify(path.resolve('src/demo/parent-watch.ts'))}
    const keepAlive = setTimeout(() => {}, 120_000)
    watchParent(() => { console.log('gone'); clearTimeout(keepAlive) })
    console.log('watching')
  `
  const [program, ...args] = [...between, process.execPath, '--input-type=module', '-e', watcher]
  const starter = `
    require('node:child_process').spawn(${JSON.stringify(program)}, ${JSON.stringify(args)}, { stdio: 'inherit' })
    setInterval(() => {}, 1000)
  `
  const parent = spawn(process.execPath, ['-e', starter], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void parent.kill('SIGKILL'))
  const lines: string[] = []
  createInterface({ input: parent.stdout }).on('line', (line) => lines.push(line))
  return { parent, lines }
}

it.each([
  ['directly', []],
  // The second command keeps the shell from becoming the program itself.
  ['through a shell', ['sh', '-c', '"$@"; exit 0', 'sh']],
])('tells when the process that started this one %s is killed', async (_, between) => {
  const { parent, lines } = started(between)
  await vi.waitFor(() => expect(lines).toEqual(['watching']), 60_000)
  parent.kill('SIGKILL')
  await vi.waitFor(() => expect(lines).toEqual(['watching', 'gone']), 60_000)
})
