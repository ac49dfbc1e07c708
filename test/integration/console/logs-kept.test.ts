import { appendFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { DaemonHome, SOURCE } from '../../support/edge-daemon.ts'
import { edgedeck } from '../../support/edgedeck.ts'

const homes = { a: new DaemonHome(), b: new DaemonHome() }
const flags: string[] = []

beforeAll(async () => {
  for (const [name, home] of Object.entries(homes)) {
    const file = path.join(home.dir, 'app.log')
    writeFileSync(file, '')
    home.configure({ 'node.name': name, 'logs.files': [{ path: file, source: 'app' }], 'logs.from': 'start' })
    const { liveUrl } = await home.serve({ program: SOURCE })
    flags.push('--node', `${name}=${liveUrl}`)
    for (let n = 1; n <= 20; n += 1) {
      const level = n === 10 ? 'error' : 'info'
      appendFileSync(file, `${JSON.stringify({ level, msg: `step ${n} of ${name}`, camera: n % 3, job: 'nightly' })}\n`)
    }
  }
})
afterAll(() => Promise.all(Object.values(homes).map((home) => home[Symbol.asyncDispose]())))

const logs = (...args: string[]) => edgedeck(['logs', '--timeout', '60s', '--source', 'app', ...args, ...flags])

it('reads what real nodes keep by each of its flags', async () => {
  await expect
    .poll(async () => (await logs('-n', 'all', '-o', 'raw')).stdout.trim().split('\n').length, { timeout: 60_000 })
    .toBe(40)
  const newest = await logs('-n', '3', '--reverse', '-o', 'raw', 'b')
  expect(newest).toEqual({ code: 0, stderr: '', stdout: 'step 20 of b\nstep 19 of b\nstep 18 of b\n' })

  const found = await logs('--grep', 'STEP 1[67]', '-i', '--field', 'camera=1', '-o', 'ndjson')
  const rows = found.stdout.trimEnd().split('\n')
  expect(rows.map((line) => JSON.parse(line))).toMatchObject([
    {
      kind: 'line',
      node: 'a',
      source: 'app',
      msg: 'step 16 of a',
      level: 'info',
      fields: { camera: 1, job: 'nightly' },
    },
    { kind: 'line', node: 'b', msg: 'step 16 of b' },
  ])

  const around = await logs('--level', 'error', '-B', '2', '-A', '1', '--fields', 'none', 'a')
  expect(around.stdout.replace(/^\S+ /gm, '')).toBe(
    'a INFO  app: step 8 of a\na INFO  app: step 9 of a\na ERROR app: step 10 of a\na INFO  app: step 11 of a\n',
  )

  const counts = await logs('--since', '10m', '--histogram', '-o', 'json')
  const steps = JSON.parse(counts.stdout) as { info: number; error: number }[]
  expect(steps.reduce((sum, { info }) => sum + info, 0)).toBe(38)
  expect(steps.reduce((sum, { error }) => sum + error, 0)).toBe(2)

  const gone = ['--node', 'gone=ws://127.0.0.1:1/']
  const some = await logs('--since', '10m', '--histogram', ...gone)
  expect(some.code).toBe(1)
  expect(some.stdout).toMatch(/\nnot counted: gone\n$/)
  const none = await edgedeck(['logs', '--timeout', '60s', '--histogram', ...gone])
  expect(none).toMatchObject({ code: 1, stdout: '' })
  expect(none.stderr).toContain('gone: ')

  const nothing = await logs('--grep', 'no such line', '-o', 'json')
  expect(nothing).toEqual({ code: 0, stderr: '', stdout: '[]\n' })
}, 240_000)
