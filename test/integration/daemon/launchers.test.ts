import { chmodSync, cpSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import packageJson from '../../../package.json' with { type: 'json' }
import { DaemonHome, EdgeDaemonProcess, eventually, postPicture, runDaemon } from '../../support/edge-daemon.ts'
import { type OldNode, oldNode } from '../../support/old-node.ts'
import { samplePicture } from '../../support/pictures.ts'
import { descendants, isAlive } from '../../support/process-tree.ts'

const BIN = fileURLToPath(new URL('../../../bin/', import.meta.url))
const PINNED = fileURLToPath(new URL('../../../node_modules/node/bin/node', import.meta.url))

let dir = ''
let old: OldNode
/** Folders for PATH: links to both commands elsewhere, and a `node` that is old. */
let path = ''

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'edgedeck-launch-'))
  old = oldNode(dir)
  const links = join(dir, 'links')
  mkdirSync(links)
  for (const name of ['edgedeck', 'edge-daemon']) symlinkSync(`${BIN}${name}.js`, join(links, name))
  writeFileSync(join(links, 'node'), `#!/bin/sh\nexec ${old.command.join(' ')} "$@"\n`)
  chmodSync(join(links, 'node'), 0o755)
  path = `${links}:/usr/bin:/bin`
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** A daemon started through a link on PATH by an old Node, with the process that serves. */
async function launched(home: DaemonHome) {
  const daemon = new EdgeDaemonProcess(['edge-daemon', '--config', home.configFile], { PATH: path })
  const served = await daemon.serving()
  return { daemon, ...served }
}

describe('a command that an older Node runs through a link on PATH', () => {
  it.each(['edgedeck', 'edge-daemon'])('%s works, and passes arguments and exit code on', async (name) => {
    const [version, wrong] = await Promise.all([
      runDaemon([name, '--version'], { PATH: path }),
      runDaemon([name, '--no-such-option'], { PATH: path }),
    ])
    expect(version).toMatchObject({ code: 0, stdout: expect.stringContaining(packageJson.version), stderr: '' })
    expect(wrong.code).toBe(name === 'edgedeck' ? 2 : 64)
    expect(wrong.stderr).toContain('--no-such-option')
  })

  it('runs on the pinned runtime, forwards signals, and ends with the code of the daemon', async () => {
    await using home = new DaemonHome()
    const { daemon, inferUrl, pid } = await launched(home)
    expect(pid).not.toBe(daemon.child.pid)
    expect(readlinkSync(`/proc/${pid}/exe`)).toBe(PINNED)
    expect(await postPicture(inferUrl, samplePicture(2))).toMatchObject({ code: 200, stored: true })
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    expect(daemon.lines.join('\n')).toContain('stopping: SIGTERM')
    expect(daemon.stderr).toBe('')
  })

  it('dies of the signal that its daemon died of', async () => {
    await using home = new DaemonHome()
    const { daemon, pid } = await launched(home)
    process.kill(pid, 'SIGKILL')
    expect(await daemon.ended).toEqual({ code: null, signal: 'SIGKILL' })
  })

  it('killed with SIGKILL takes the daemon along, so that the next one starts at once', async () => {
    await using home = new DaemonHome()
    const first = await launched(home)
    const all = descendants(first.daemon.child.pid as number)
    expect(all).toContain(first.pid)
    first.daemon.child.kill('SIGKILL')
    await eventually(() => !all.some(isAlive), { what: 'the daemon and its model are gone' })
    const second = await launched(home)
    expect(second.epoch).toBe(first.epoch)
    second.daemon.kill()
    await second.daemon.ended
  })
})

describe('a command that cannot run', () => {
  it.each(['edgedeck', 'edge-daemon'])('%s says in one line that it was not built', async (name) => {
    const root = join(dir, `unbuilt-${name}`)
    cpSync(BIN, join(root, 'bin'), { recursive: true })
    for (const node of [old.command, [process.execPath]]) {
      const { code, stderr } = await runDaemon([...node, join(root, 'bin', `${name}.js`), '--version'])
      expect({ code, stderr }).toEqual({
        code: 78,
        stderr: `${name}: not built yet. Run: npm --prefix ${JSON.stringify(root)} run build\n`,
      })
    }
  })

  it('says in one line that the pinned runtime is not installed', async () => {
    const root = join(dir, 'uninstalled')
    cpSync(BIN, join(root, 'bin'), { recursive: true })
    mkdirSync(join(root, 'dist'))
    writeFileSync(join(root, 'dist/edge-daemon.js'), '')
    const { code, stderr } = await runDaemon([...old.command, join(root, 'bin/edge-daemon.js'), '--version'])
    expect(code).toBe(78)
    expect(stderr).toMatch(/^edge-daemon: needs Node 24, this is v\S+\. Run: npm --prefix \S+ ci\n$/)
  })
})
