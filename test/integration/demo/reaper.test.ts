import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

const REAPER = path.resolve('src/demo/reaper.ts')

/** A stand-in for the demo: starts a reaper, a process it tells of, and one it does not come to tell of. */
const DEMO = `
import { spawn } from 'node:child_process'
import { Reaper } from ${JSON.stringify(REAPER)}
const folder = process.argv[2]
const reaper = new Reaper()
reaper.start()
reaper.folder(folder)
const sleeper = ['-e', 'setInterval(() => {}, 1000)']
const told = spawn(process.execPath, sleeper, { detached: true, stdio: 'ignore' })
reaper.started(told.pid)
const untold = spawn(process.execPath, [...sleeper, '--', '--config', folder + '/node.yaml'], { detached: true, stdio: 'ignore' })
const ended = spawn(process.execPath, sleeper, { detached: true, stdio: 'ignore' })
reaper.started(ended.pid)
reaper.ended(ended.pid)
process.stdin.on('data', async () => {
  await reaper.dismiss()
  process.exit(0)
})
console.log(JSON.stringify({ told: told.pid, untold: untold.pid, ended: ended.pid }))
`

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function standIn() {
  const dir = mkdtempSync(path.join(tmpdir(), 'edgedeck-reaper-'))
  const folder = path.join(dir, 'demo')
  const script = path.join(dir, 'demo.ts')
  writeFileSync(script, DEMO)
  mkdirSync(folder)
  writeFileSync(path.join(folder, 'file'), 'x')
  const demo = spawn(process.execPath, [script, folder], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = await new Promise<string[]>((resolve) =>
    createInterface({ input: demo.stdout }).once('line', (text) => resolve([text])),
  )
  const pids = JSON.parse(line ?? '') as { told: number; untold: number; ended: number }
  onTestFinished(() => {
    demo.kill('SIGKILL')
    for (const pid of Object.values(pids)) if (alive(pid)) process.kill(pid, 'SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  })
  return { demo, folder, ...pids }
}

describe('the reaper', () => {
  it('kills what the demo started and removes its folder when the demo is killed', async () => {
    const { demo, folder, told, untold, ended } = await standIn()
    expect([told, untold, ended].map(alive)).toEqual([true, true, true])
    demo.kill('SIGKILL')
    await vi.waitFor(() => expect([told, untold].map(alive)).toEqual([false, false]), 60_000)
    await vi.waitFor(() => expect(existsSync(folder)).toBe(false), 60_000)
    expect(alive(ended)).toBe(true)
  })

  it('touches nothing after an orderly end, and is gone itself', async () => {
    const { demo, folder, told, untold } = await standIn()
    demo.stdin.write('end\n')
    await vi.waitFor(() => expect(demo.exitCode).toBe(0), 60_000)
    expect([told, untold].map(alive)).toEqual([true, true])
    expect(existsSync(folder)).toBe(true)
  })
})
