import { spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it, onTestFinished, vi } from 'vitest'

it('tells when the process that started this one is killed', async () => {
  const watcher = `
    import { watchParent } from ${JSON.stringify(path.resolve('src/demo/parent-watch.ts'))}
    const keepAlive = setTimeout(() => {}, 15_000)
    watchParent(() => { console.log('gone'); clearTimeout(keepAlive) })
    console.log('watching')
  `
  const starter = `
    require('node:child_process').spawn(process.execPath, ['--input-type=module', '-e', ${JSON.stringify(watcher)}], { stdio: 'inherit' })
    setInterval(() => {}, 1000)
  `
  const parent = spawn(process.execPath, ['-e', starter], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void parent.kill('SIGKILL'))
  const lines: string[] = []
  createInterface({ input: parent.stdout }).on('line', (line) => lines.push(line))
  await vi.waitFor(() => expect(lines).toEqual(['watching']), 5000)
  parent.kill('SIGKILL')
  await vi.waitFor(() => expect(lines).toEqual(['watching', 'gone']), 5000)
})
