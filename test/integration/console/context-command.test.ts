import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { edgedeck } from '../../support/edgedeck.ts'
import { ControllerHome, LocalController } from '../../support/fleet-controller.ts'
import { PtyProcess } from '../../support/pty.ts'
import { SshKeys } from '../../support/ssh-keys.ts'

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))

let dir: string
let env: Record<string, string>
let home: ControllerHome
let controller: LocalController
let ssh: SshKeys
let pin: string

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'edgedeck-context-'))
  ssh = new SshKeys()
  home = await ControllerHome.create()
  const mia = ssh.make('mia')
  const operators = join(home.dir, 'operators.yaml')
  writeFileSync(operators, `operators:\n  - { name: mia, role: operator, sites: [plant-a], keys: ["${mia.line}"] }\n`)
  home.configure({ operators: { file: operators } })
  controller = await new LocalController(home).start()
  pin = home.authority.bundle.signatures[0]?.root ?? ''
  env = { XDG_CONFIG_HOME: join(dir, 'config'), XDG_STATE_HOME: join(dir, 'state'), SSH_AUTH_SOCK: '' }
})
afterAll(async () => {
  await controller[Symbol.asyncDispose]()
  home[Symbol.dispose]()
  ssh[Symbol.dispose]()
  rmSync(dir, { recursive: true, force: true })
})

const configFile = (): string => join(dir, 'config', 'edgedeck', 'config.yaml')
/** A well-formed pin that is never the root's. */
const otherPin = (): string => (pin.startsWith('x') ? 'y' : 'x') + pin.slice(1)
const url = (): string => `https://127.0.0.1:${controller.client.port}`

test('adds a fleet after each step was seen to work, and nothing when one does not', { timeout: 600_000 }, async () => {
  const key = join(ssh.dir, 'mia')
  const far = 'plant-a/press-4=wss://127.0.0.1:9'
  const wrong = await edgedeck(
    ['context', 'add', 'acme', '--controller', url(), '--pin', otherPin(), '--login', 'mia', '--key', key],
    env,
  )
  expect(wrong).toMatchObject({ code: 3 })
  expect(wrong.stdout).toMatch(/✗ .*pin/)
  const dead = await edgedeck(
    ['context', 'add', 'acme', '--controller', url(), '--pin', pin, '--login', 'mia', '--key', key, '--node', far],
    env,
  )
  expect(dead.code).toBe(3)
  expect(dead.stdout).toMatch(/✓ mia of acme: operator at plant-a[\s\S]*✗ 127\.0\.0\.1:9: the connection is refused/)
  expect(dead.stderr).toContain('nothing was written')
  expect(existsSync(configFile())).toBe(false)
  expect(readdirSync(join(dir, 'state', 'edgedeck', 'identities'))).toEqual([])

  const forced = ['--node', far, '--production', '--force']
  const added = await edgedeck(
    ['context', 'add', 'acme', '--controller', url(), '--pin', pin, '--login', 'mia', '--key', key, ...forced],
    env,
  )
  expect(added.stdout).toContain('acme is in ')
  expect(readFileSync(configFile(), 'utf8')).toContain(
    '- { name: press-4, site: plant-a, url: wss://127.0.0.1:9/live }',
  )
  const who = await edgedeck(['whoami'], env)
  expect(who.stdout).toMatch(/acme +acme +mia +operator/)

  const list = await edgedeck(['context', 'list'], env)
  expect(list.stdout).toMatch(/\* +acme +acme +1 listed +mia, operator +11h 5\dm +PRODUCTION/)
  expect(list.stdout.split('\n').every((line) => line.length <= 80)).toBe(true)
  const show = JSON.parse((await edgedeck(['context', 'show', '-o', 'json'], env)).stdout)
  expect(show).toMatchObject([
    { name: 'acme', current: true, pins: [pin], identity: { name: 'mia', role: 'operator' } },
  ])
  expect(await edgedeck(['context', 'use', 'acne'], env)).toMatchObject({ code: 2 })
  expect(await edgedeck(['context', 'use', 'default'], env)).toMatchObject({ code: 0 })
  const gone = await edgedeck(['context', 'remove', 'acme'], env)
  expect(gone.stderr).toMatch(/its identity stays in .*identities\/acme/)
})

test('asks step by step on a terminal, again for what could not be', { timeout: 600_000 }, async () => {
  const own = { ...env, XDG_CONFIG_HOME: join(dir, 'asked'), XDG_STATE_HOME: join(dir, 'asked-state') }
  const pty = new PtyProcess([process.execPath, MAIN, 'context', 'add'], {
    env: { ...process.env, ...own },
    rows: 50,
    columns: 110,
  })
  const answers: readonly [string, string][] = [
    ['Name of the fleet', 'lab'],
    ['Controller, https', 'http://nowhere'],
    ['expected an address', url()],
    ['Bus, tls://', ''],
    ['Node to reach straight', 'one=ws://127.0.0.1:9'],
    ['127.0.0.1:9\nNode to reach', ''],
    ['Regions for the past', ''],
    ['Root of the fleet', pin],
    ['Log in now', 'no'],
    ['Is it production?', 'y'],
  ]
  for (const [question, answer] of answers) {
    await pty.emulator.until((screen) => screen.replaceAll(/\s+\n/g, '\n').includes(question))
    pty.type(`${answer}\r`)
  }
  expect((await pty.ended).end).toBe('exit 3')
  await pty.emulator.settle()
  const screen = pty.emulator.screen()
  expect(screen).toContain('nothing was written')
  expect(screen).toMatch(/✗ you are nobody in this fleet yet/)
})
