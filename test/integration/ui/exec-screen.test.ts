import { afterEach, expect, test } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import type { BegunEntry } from '../../../src/audit/command-journal.ts'
import { LOCAL_STANDING } from '../../../src/identity/standing.ts'
import type { ConsoleExecMeans } from '../../../src/shell/fan-out-exec.ts'
import { ConsoleScreen, type ConsoleScreenOptions } from '../../support/console-screen.ts'
import { RememberedRecording } from '../../support/run-recording.ts'
import { type ScriptedChannel, ScriptedHost } from '../../support/scripted-host.ts'

const screens: ConsoleScreen[] = []
afterEach(() => {
  for (const screen of screens.splice(0)) screen.dispose()
})

type Play = (channel: ScriptedChannel) => void

/** A console over nodes whose programs a test plays. */
async function open(plays: Readonly<Record<string, Play>>, options: Partial<ConsoleScreenOptions> = {}) {
  const hosts = new Map(Object.entries(plays).map(([key, play]) => [key, new ScriptedHost(key, play)]))
  const begun: BegunEntry[] = []
  const exec: ConsoleExecMeans = {
    openNode: async (key) => {
      const host = hosts.get(key)
      if (host !== undefined) return host
      throw new EdgeError('NODE_UNREACHABLE', {
        message: `${key} refused`,
        next: [`see that sshd runs there; ${LONG_KEY}`],
      })
    },
    journal: {
      begins: async (entry) => {
        begun.push(entry)
        return { ended: () => undefined }
      },
      happened: () => undefined,
    },
    record: async () => new RememberedRecording(),
    siteOf: () => null,
  }
  const nodes = [{}, {}, {}, {}, {}]
  const screen = new ConsoleScreen({ columns: 80, rows: 24, nodes, exec, ...options })
  screens.push(screen)
  await screen.pass(2)
  return { screen, hosts, begun }
}

/** A lone escape is told from the beginning of a sequence by the time after it. */
async function pressEscape(screen: ConsoleScreen): Promise<void> {
  await screen.type('\x1b')
  await new Promise((resolve) => setTimeout(resolve, 150))
  await screen.pass(1)
}

const says =
  (text: string, code = 0): Play =>
  (channel) =>
    channel.say(text).exit(code)
const LONG_KEY = `SHA256:${'0123456789'.repeat(9)}.`
const HOSTILE = '\x1b]0;title\x07\x1b[2J中文 \u202egnp\n'

test.each([
  { columns: 80, rows: 24 },
  { columns: 120, rows: 40, depth: 'none' },
  { columns: 200, rows: 60, ascii: true },
] as const)('folds outcomes of marked nodes together and shows their output safely, %j', async (size) => {
  const plays = {
    'node-1': says(HOSTILE),
    'node-2': says(HOSTILE),
    'node-3': says('other\n', 3),
    'node-5': says('other\n', 3),
  }
  const { screen, hosts } = await open(plays, size)
  await screen.type('     ')
  await screen.type('!')
  expect(screen.emulator.text().at(-1)).toMatch(/ run on 5 nodes: .*node-1/)
  await screen.type('cat /etc/motd')
  await screen.type('\r')
  await screen.pass(1)
  const shown = screen.emulator.screen()
  expect(shown).toContain('2 ok, 2 failed, 1 not reached or ended')
  expect(shown).toContain('$ cat /etc/motd')
  expect(shown).toMatch(/ 2 {2}exit 0 +node-1, node-2 +␛\]0;title␇␛\[2J中文 [·.]gnp/)
  expect(shown).toMatch(/ 2 {2}exit 3 +node-3, node-5 +other/)
  expect(shown).toMatch(/ 1 {2}unreachable +node-4/)
  expect(hosts.get('node-1')?.channels[0]?.command).toBe('cat /etc/motd')
  await screen.type('G')
  await screen.type('\r')
  expect(screen.emulator.screen()).toContain('node-4: unreachable: node-4 refused')
  expect(screen.emulator.screen()).toContain('see that sshd runs there')
  // What is compared by eye is shown to its end, however narrow the terminal is.
  expect(screen.emulator.screen().replace(/ *\n */g, '')).toContain(LONG_KEY)
  // The toast of the end takes the first escape while it is there.
  await screen.pass(8)
  await pressEscape(screen)
  await pressEscape(screen)
  expect(screen.emulator.screen()).toContain('problems first')
})

test('shows what runs, goes on when it is left, and stops when asked', async () => {
  const { screen, hosts } = await open({ 'node-1': (channel) => void channel.say('step one\n') })
  await screen.type('!tail -f x\r')
  await screen.pass(1)
  expect(screen.emulator.screen()).toMatch(/1 {2}running +node-1 +node-1 \| step one/)
  await pressEscape(screen)
  expect(screen.emulator.screen()).toContain('problems first')
  await screen.type('!')
  expect(screen.emulator.screen()).toContain('step one')
  await screen.type('x')
  await screen.pass(1)
  expect(hosts.get('node-1')?.channels[0]?.signals).toEqual(['INT'])
  expect(screen.emulator.screen()).toMatch(/ 1 {2}stopped +node-1/)
})

test('runs in a production context once the number of nodes is typed, and writes down why', async () => {
  const { screen, begun } = await open({ 'node-1': says('x\n'), 'node-2': says('x\n') }, { production: true })
  await screen.type('  !uptime\r')
  expect(screen.emulator.text().at(-1)).toContain('PRODUCTION test, 2 nodes: type 2, and why: ')
  await screen.type('y\r')
  expect(screen.emulator.text().at(-1)).toContain('type 2 to run it')
  await screen.type('\x152\r')
  expect(screen.emulator.text().at(-1)).toContain('type why behind 2')
  expect(begun).toEqual([])
  await screen.type('\x152 disk is full\r')
  await screen.pass(1)
  expect(begun).toHaveLength(2)
  expect(begun[0]).toMatchObject({ verb: 'exec', why: 'disk is full', args: { command: 'uptime' } })
})

test('is refused without the permission', async () => {
  const rights = { role: 'operator', permissions: [], sites: '*' } as const
  const { screen, begun } = await open({}, { columns: 120, rows: 40, standing: { ...LOCAL_STANDING, rights } })
  await screen.type('!')
  expect(screen.emulator.text().at(-1)).toContain('Run command needs the permission shell')
  expect(begun).toEqual([])
})

test('says of a line in quotes, for which no program was found, that it is to be typed without them', async () => {
  const { screen } = await open({ 'node-1': says('sh: not found\n', 127) })
  await screen.type(' !')
  await screen.type("'uptime; id'\r")
  await screen.until('uptime; id was taken as the name of one program: it stands in quotes')
  expect(screen.emulator.screen()).toContain('the line goes to a shell as it is, so leave them out')
})
