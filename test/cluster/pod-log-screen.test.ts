import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { userConfig } from '../support/cluster/cluster.ts'
import { admin } from '../support/cluster/kube.ts'
import { allow, createNamespace, createPod, podUntil } from '../support/cluster/pods.ts'
import { PtyProcess } from '../support/pty.ts'
import { tcpLink } from '../support/tcp-link.ts'

const NAMESPACE = 'screens'
const PROGRAM = fileURLToPath(new URL('../../bin/edgedeck.js', import.meta.url))
const TICKER =
  'i=0; while :; do i=$((i+1)); echo tick $i; [ $((i % 40)) = 20 ] && echo "E1126 10:00:00.1 lamp $i is out"; usleep 100000; done'
/** Says what it has to in pieces, so that the screen has a run to see, and ends. */
const ENDING = 'run=$(date +%s); for i in 1 2 3; do echo run $run says $i; sleep 1; done; exit 3'
const WAIT_MS = 60_000
const ESC = '\u001b'
const dir = mkdtempSync(join(tmpdir(), 'edgedeck-pod-screen-'))

/** The console over one node, whose daemon is dead. */
function consoleAt(kubeconfig = inject('cluster').adminConfig): PtyProcess {
  const file = join(dir, 'config.yaml')
  const node = '{name: press, url: "ws://127.0.0.1:1/live", kubeNode: press-1}'
  writeFileSync(file, `kube: {config: ${kubeconfig}, namespace: ${NAMESPACE}}\nnodes: [${node}]\n`)
  const env = { ...process.env, HOME: dir, XDG_STATE_HOME: join(dir, 'state'), TERM: 'xterm-256color', TZ: 'UTC' }
  const terminal = new PtyProcess([process.execPath, PROGRAM, '--config', file], { columns: 120, rows: 30, env })
  onTestFinished(() => terminal.dispose())
  terminal.answer()
  return terminal
}

const sees = (terminal: PtyProcess, text: string | RegExp): Promise<void> =>
  terminal.emulator.until((screen) => (typeof text === 'string' ? screen.includes(text) : text.test(screen)), WAIT_MS)

/** Numbers of the ticks in sight. */
const ticks = (terminal: PtyProcess): number[] =>
  terminal.emulator.text().flatMap((row) => {
    const found = /tick (\d+)/.exec(row)
    return found === null ? [] : [Number(found[1])]
  })

async function seesTick(terminal: PtyProcess): Promise<number[]> {
  await sees(terminal, /tick \d+/)
  return ticks(terminal)
}

/** Choose a container of the node by its name. */
async function openLog(terminal: PtyProcess, name: string): Promise<void> {
  await sees(terminal, 'press')
  terminal.type('b')
  await sees(terminal, `(${name})`)
  terminal.type(`${name}\r`)
  await sees(terminal, `(${name}) on press`)
}

async function leave(terminal: PtyProcess): Promise<void> {
  terminal.type('q')
  expect(await terminal.ended).toMatchObject({ end: 'exit 0', modesRestored: true })
}

beforeAll(async () => {
  const api = admin()
  await createNamespace(api, NAMESPACE)
  const containers = [
    { name: 'ticker', command: ['sh', '-c', TICKER] },
    { name: 'ending', command: ['sh', '-c', ENDING] },
  ]
  await createPod(api, { namespace: NAMESPACE, name: 'press', containers })
  const pod = { namespace: NAMESPACE, name: 'press' }
  await podUntil(api, pod, ({ status }) => (status.containerStatuses ?? []).length === 2)
  await allow(api, { namespace: NAMESPACE, user: 'noah', may: { pods: ['get', 'list'] } })
})

afterAll(async () => {
  rmSync(dir, { recursive: true })
  await admin().remove(`/api/v1/namespaces/${NAMESPACE}`)
})

describe('the log screen on a container, whose node has a dead daemon', () => {
  it('follows, filters, searches, pauses, goes to errors and saves as it does for nodes', async () => {
    const terminal = consoleAt()
    await openLog(terminal, 'ticker')
    await sees(terminal, /log of screens\/press \(ticker\) on press: .*following/)
    await sees(terminal, /INFO +screens\/press\/ticker: tick \d+/)
    await sees(terminal, /ERR.*lamp \d+ is out/)
    const before = ticks(terminal)
    expect(before).toEqual(before.map((_, at) => (before[0] ?? 0) + at))

    terminal.type('&')
    await sees(terminal, 'enter hides the rest')
    terminal.type('tick .*7$\r')
    await sees(terminal, 'filter "tick .*7$"')
    await terminal.emulator.until(
      () => ticks(terminal).length > 2 && ticks(terminal).every((n) => n % 10 === 7),
      WAIT_MS,
    )
    terminal.type(ESC)
    await terminal.emulator.until((screen) => !screen.includes('filter "'), WAIT_MS)

    terminal.type('/lamp\r')
    await sees(terminal, /\d+ match "lamp"/)
    terminal.type(ESC)
    await terminal.emulator.until((screen) => !screen.includes('match "lamp"'), WAIT_MS)
    terminal.type('G=')
    await sees(terminal, /PAUSED, [1-9]\d* newer/)
    const held = ticks(terminal)
    await sees(terminal, /PAUSED, \d\d+ newer/)
    expect(ticks(terminal)).toEqual(held)
    terminal.type('=')
    await sees(terminal, 'following')

    terminal.type('e')
    await terminal.emulator.until(
      () => terminal.emulator.text().some((row) => /^▌.*lamp \d+ is out/.test(row)),
      WAIT_MS,
    )
    terminal.type('g')
    await sees(terminal, /: tick 1 /)
    await sees(terminal, 'older lines are no longer kept')
    terminal.type('S')
    await sees(terminal, /saved \d+ lines/)
    const logs = join(dir, 'state', 'edgedeck', 'logs')
    const [saved = ''] = readdirSync(logs)
    expect(saved).toMatch(/screens_press_ticker/)
    expect(readFileSync(join(logs, saved), 'utf8')).toContain('screens/press/ticker: tick 1\n')
    await leave(terminal)
  })

  it('has a row for each new start of the container, and goes on with what it writes then', async () => {
    const terminal = consoleAt()
    await openLog(terminal, 'ending')
    await sees(terminal, /screens\/press \(ending\) was started again[\s\S]*says 3/)
    await leave(terminal)
  })

  it('has a row for a lost connection, and goes on behind the last line', async () => {
    await using link = await tcpLink(Number(new URL(inject('cluster').server).port))
    const config = join(dir, 'through-link.kubeconfig')
    const own = readFileSync(inject('cluster').adminConfig, 'utf8')
    writeFileSync(config, own.replaceAll(inject('cluster').server, `https://127.0.0.1:${link.port}`))
    const terminal = consoleAt(config)
    await openLog(terminal, 'ticker')
    // Lines that were written after it was opened have come as they were written.
    const [first = 0] = await seesTick(terminal)
    await terminal.emulator.until(() => (ticks(terminal).at(-1) ?? 0) > first + 40, WAIT_MS)
    link.cut()
    await sees(terminal, 'the log broke off')
    await link.mend()
    await sees(terminal, 'the log goes on, and no line is missing')
    const numbers = ticks(terminal)
    expect(numbers).toEqual(numbers.map((_, at) => (numbers[0] ?? 0) + at))
    await leave(terminal)
  })

  it('says who lacks which verb, in a row where the lines would be, and beside the list', async () => {
    const reader = consoleAt(userConfig(inject('cluster'), 'noah'))
    await openLog(reader, 'ticker')
    await sees(reader, 'noah may not get pods/log in namespace screens')
    await leave(reader)
    const stranger = consoleAt(userConfig(inject('cluster'), 'pia'))
    await sees(stranger, 'press')
    stranger.type('b')
    await sees(stranger, 'pia may not list pods in namespace screens')
    stranger.type(ESC)
    await stranger.emulator.until((screen) => !screen.includes('may not list pods'), WAIT_MS)
    await leave(stranger)
  })

  it('is opened by tab from the list of places for a shell, too', async () => {
    const terminal = consoleAt()
    await sees(terminal, 'press')
    terminal.type('s')
    await sees(terminal, '(ticker)')
    terminal.type('ticker')
    await sees(terminal, 'tab shows its log')
    terminal.type('\t')
    await sees(terminal, /log of screens\/press \(ticker\) on press/)
    await sees(terminal, /tick \d+/)
    terminal.type(ESC)
    await terminal.emulator.until((screen) => !screen.includes('log of screens'), WAIT_MS)
    await leave(terminal)
  })
})
