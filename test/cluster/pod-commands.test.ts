import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { userConfig } from '../support/cluster/cluster.ts'
import { admin } from '../support/cluster/kube.ts'
import { createNamespace, createPod, podUntil, runs } from '../support/cluster/pods.ts'
import { PtyProcess } from '../support/pty.ts'

const NAMESPACE = 'commands'
const PROGRAM = fileURLToPath(new URL('../../bin/edgedeck.js', import.meta.url))
const dir = mkdtempSync(join(tmpdir(), 'edgedeck-pod-commands-'))

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What ships, as a process, with a configuration that names the cluster. */
function edgedeck(args: readonly string[], kubeconfig?: string): Promise<Ended> {
  const { command, env } = prepared(args, kubeconfig)
  const [program = '', ...rest] = command
  return new Promise((resolve) => {
    execFile(program, rest, { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

function prepared(args: readonly string[], kubeconfig = inject('cluster').adminConfig) {
  const file = join(dir, 'config.yaml')
  const node = '{name: press, url: "ws://127.0.0.1:1/live", kubeNode: press-1}'
  writeFileSync(file, `kube: {config: ${kubeconfig}, namespace: ${NAMESPACE}}\nnodes: [${node}]\n`)
  const env = { ...process.env, HOME: dir, XDG_STATE_HOME: join(dir, 'state'), TERM: 'xterm-256color' }
  return { command: [process.execPath, PROGRAM, '--config', file, ...args], env }
}

beforeAll(async () => {
  await createNamespace(admin(), NAMESPACE)
  const containers = [
    { name: 'app', command: ['sh', '-c', 'echo E1126 10:00:00.1 broken; echo all is well; exec sleep 1000'] },
    { name: 'side' },
  ]
  await createPod(admin(), { namespace: NAMESPACE, name: 'camera', containers })
  await podUntil(admin(), { namespace: NAMESPACE, name: 'camera' }, runs)
})

afterAll(async () => {
  rmSync(dir, { recursive: true })
  await admin().remove(`/api/v1/namespaces/${NAMESPACE}`)
})

describe('the commands that ship', () => {
  it('list the containers on a node', async () => {
    const { code, stdout, stderr } = await edgedeck(['pods', 'press'])
    expect([code, stderr]).toEqual([0, ''])
    const [title, ...rows] = stdout.trimEnd().split('\n')
    expect(title).toMatch(/^POD +CONTAINER +KIND +STATE +AGE +IMAGE$/)
    expect(rows).toHaveLength(2)
    expect(rows[0]).toMatch(/^commands\/camera +app +app +running +\S+ +localhost\/busybox:1$/)
  })

  it('print what a container wrote, filtered, in each form', async () => {
    const logs = (...args: string[]): Promise<Ended> => edgedeck(['logs', '--pod', 'camera', '-c', 'app', ...args])
    const [table, errors, raw, json] = await Promise.all([
      logs(),
      logs('--level', 'error'),
      logs('-o', 'raw', '--grep', 'w.ll'),
      logs('-o', 'json', '--tail', '1'),
    ])
    expect([table.code, table.stderr]).toEqual([0, ''])
    expect(table.stdout.split('\n')).toEqual([
      expect.stringMatching(/^\S+Z ERROR commands\/camera\/app: E1126 10:00:00\.1 broken$/),
      expect.stringMatching(/^\S+Z INFO {2}commands\/camera\/app: all is well$/),
      '',
    ])
    expect(errors.stdout.trimEnd().split('\n')).toHaveLength(1)
    expect(raw.stdout).toBe('all is well\n')
    expect(JSON.parse(json.stdout)).toMatchObject([{ kind: 'line', source: 'commands/camera/app', msg: 'all is well' }])
  })

  it('follow a container until they are told to stop, and ask which one where there are several', async () => {
    const several = await edgedeck(['logs', '--pod', 'commands/camera'])
    expect(several.code).toBe(1)
    expect(several.stderr).toContain('commands/camera has several containers')
    expect(several.stderr).toContain('name one with -c: app, side')
    const wrong = await edgedeck(['logs', '--pod', 'camera', '--histogram'])
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('--pod does not go with --histogram')])
  })

  it('say who lacks which verb, and end with 1', async () => {
    const { code, stderr } = await edgedeck(['pods', 'press'], userConfig(inject('cluster'), 'pia'))
    expect(code).toBe(1)
    expect(stderr).toContain('pia may not list pods in namespace commands')
  })

  it('lend the terminal to a shell in a container, which has its size and whose exit code is theirs; it is recorded', async () => {
    const { command, env } = prepared(['shell', 'press', '--pod', 'commands/camera', '-c', 'app'])
    const terminal = new PtyProcess(command, { columns: 97, rows: 31, env })
    terminal.answer()
    await terminal.emulator.until((screen) => screen.includes('/ #'))
    terminal.type('stty size; echo $((6*7))-in-$HOSTNAME\r')
    await terminal.emulator.until((screen) => screen.includes('42-in-camera'))
    expect(terminal.emulator.text().join('\n')).toContain('31 97')
    terminal.type('exit 7\r')
    expect(await terminal.ended).toEqual({ end: 'exit 7', modesRestored: true })
    const { stdout } = await edgedeck(['play', '--list', '-o', 'json'])
    expect(stdout).toContain('commands/camera (app)')
  })

  it('offer the containers of a node in the console: what is typed finds one, enter opens a shell in it, exit comes back', async () => {
    const { command, env } = prepared([])
    const terminal = new PtyProcess(command, { columns: 100, rows: 30, env })
    terminal.answer()
    await terminal.emulator.until((screen) => screen.includes('press'))
    terminal.type('s')
    await terminal.emulator.until((screen) => screen.includes('commands/camera (side)'))
    const offered = terminal.emulator.text().join('\n')
    expect(offered).toContain('127.0.0.1')
    expect(offered).toContain('commands/camera (app)')
    terminal.type('side\r')
    await terminal.emulator.until((screen) => screen.includes('/ #'))
    terminal.type('echo $((6*7))-in-$HOSTNAME\r')
    await terminal.emulator.until((screen) => screen.includes('42-in-camera'))
    terminal.type('exit\r')
    await terminal.emulator.until((screen) => screen.includes('press') && !screen.includes('42-in-camera'))
    terminal.type('q')
    expect(await terminal.ended).toMatchObject({ end: 'exit 0', modesRestored: true })
  })

  it('say in the console who lacks which verb, beside the places that there are', async () => {
    const { command, env } = prepared([], userConfig(inject('cluster'), 'pia'))
    const terminal = new PtyProcess(command, { columns: 100, rows: 30, env })
    terminal.answer()
    await terminal.emulator.until((screen) => screen.includes('press'))
    terminal.type('s')
    await terminal.emulator.until((screen) => screen.includes('may not list pods'))
    terminal.type('\u001b')
    await terminal.emulator.until((screen) => !screen.includes('may not list pods'))
    terminal.type('q')
    expect(await terminal.ended).toMatchObject({ modesRestored: true })
  })
})
