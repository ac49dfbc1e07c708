import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import { isSafe } from '../../../protocol/untrusted-text.ts'
import { OperatorJournal } from '../../../src/audit/command-journal.ts'
import { JournalFile } from '../../../src/audit/journal-file.ts'
import { readCommandLine } from '../../../src/command-line/command-line.ts'
import { type ExecPlace, runExec } from '../../../src/commands/exec.ts'
import { LOCAL_STANDING } from '../../../src/identity/standing.ts'
import { exitOfExec } from '../../../src/requests/exit-codes.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { RememberedRecording } from '../../support/run-recording.ts'
import { type ScriptedChannel, ScriptedHost } from '../../support/scripted-host.ts'

type Play = (channel: ScriptedChannel) => void

let dir: string
let file: JournalFile
let io: CapturedIo
let recording: RememberedRecording

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'exec-'))
  file = new JournalFile(join(dir, 'mia.ndjson'), 'mia')
  io = new CapturedIo()
  recording = new RememberedRecording()
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** Run a command line over nodes that a test plays; `again` interrupts for the second time. */
function exec(
  line: readonly string[],
  nodes: Readonly<Record<string, Play | EdgeError>>,
  change: Partial<ExecPlace> = {},
) {
  const request = readCommandLine(['exec', ...line], '1')
  if (request.kind !== 'exec') throw new Error(`it asks for ${request.kind}`)
  const journal = new OperatorJournal({ file: () => file })
  let again: () => void = () => undefined
  const hosts = new Map(
    Object.entries(nodes).map(([key, play]) => [key, play instanceof EdgeError ? play : new ScriptedHost(key, play)]),
  )
  const place: ExecPlace = {
    nodes: Object.keys(nodes).map((key) => ({ key, url: null, site: key.startsWith('press') ? 'plant-a' : 'plant-b' })),
    access: { version: '1', journal },
    journal,
    standing: LOCAL_STANDING,
    context: 'default',
    production: false,
    ask: null,
    input: (async function* () {})(),
    depth: 'none',
    terminal: null,
    openNode: async (key) => {
      const host = hosts.get(key)
      if (host instanceof ScriptedHost) return host
      throw host ?? new Error(`nobody declared ${key}`)
    },
    record: async () => recording,
    onInterruptedAgain: (listener) => {
      again = listener
      return () => undefined
    },
    ...change,
  }
  const done = runExec(request, place, io).then(async (outcomes) => {
    await journal.settled()
    return outcomes
  })
  return { done, hosts, interruptAgain: () => again() }
}

const says =
  (text: string, code = 0): Play =>
  (channel) =>
    channel.say(text).exit(code)
const refused = new EdgeError('NODE_UNREACHABLE', { message: '10.0.0.9 refused', next: ['see that sshd runs there'] })

describe('edgedeck exec', () => {
  it('says of a line in one word, for which no program was found, how a shell gets it', async () => {
    const { done } = exec(['--all', '--', "uptime; echo 'it is'"], {
      'press-1': says('', 127),
      'mill-1': says('', 127),
    })
    await done
    expect(io.err().split('\n')).toEqual([
      expect.stringMatching(/^edgedeck: .*: exit 127$/),
      "edgedeck: uptime; echo 'it is' was taken as the name of one program: no shell reads what stands behind --" +
        " → for a line of a shell write -- sh -c 'uptime; echo '\\''it is'\\'''",
      expect.stringMatching(/^edgedeck: 0 of /),
      '',
    ])
  })

  it.each([
    ['a program that is not there', ['--', 'upptime', '-p'], 127],
    ['a line that ended badly', ['--shell', 'false; false'], 127],
    ['a line in one word that ran', ['--', '/opt/my tool'], 1],
  ])('gives no such advice for %s', async (_, words, code) => {
    const { done } = exec(['--all', ...words], { 'press-1': says('', code) })
    await done
    expect(io.err()).not.toContain('was taken as the name')
  })

  it('prints lines of many nodes among each other, whole and safe, and what it comes to', async () => {
    const { done } = exec(['--all', '--', 'cat', 'a b'], {
      'press-1': (channel) => {
        const bytes = Buffer.from('中文\n\x1b]52;c;aGk=\x07evil\n')
        channel.say(bytes.subarray(0, 2)).say(bytes.subarray(2)).exit(0)
      },
      'mill-1': (channel) => void channel.say('no\n', 'stderr').say('last').exit(3),
      'press-9': refused,
    })
    const outcomes = await done
    const out = io.out()
    expect(out.split('\n').sort()).toEqual([
      '',
      'mill-1  ! no',
      'mill-1  | last',
      'press-1 | ␛]52;c;aGk=␇evil',
      'press-1 | 中文',
    ])
    expect(isSafe(out.replaceAll('\n', ''))).toBe(true)
    expect(io.err().split('\n')).toEqual([
      'edgedeck: mill-1: exit 3',
      'edgedeck: press-9: NODE_UNREACHABLE: 10.0.0.9 refused → see that sshd runs there',
      expect.stringMatching(/^edgedeck: 1 of 3 ok, 1 failed \(exit 3\), 1 unreachable, \d+\.\d s$/),
      '',
    ])
    expect(exitOfExec(outcomes ?? [])).toBe(1)
    expect(recording.text).toContain("$ cat 'a b'\r\n")
    expect(recording.text).toContain('mill-1  ! no\r\n')
    expect(recording.end).toMatch(/^1 of 3 ok/)
  })

  it('folds what is alike together, and shows the others as what they differ in', async () => {
    const { done } = exec(['--all', '-o', 'grouped', '--diff', '--', 'x'], {
      'press-1': says('one\ntwo\nthree\nfour\n'),
      'press-2': says('one\ntwo\nthree\nfour\n'),
      'press-3': says('one\ntwo\n3\nfour\n', 2),
      'press-9': refused,
    })
    const outcomes = await done
    expect(io.out()).toBe(
      [
        '== 2 nodes: press-1, press-2 (exit 0)',
        'one',
        'two',
        'three',
        'four',
        '',
        '== press-3 (exit 2)',
        '…',
        '  two',
        '- three',
        '+ 3',
        '  four',
        '',
        '== press-9 (NODE_UNREACHABLE)',
        '  press-9: unreachable: 10.0.0.9 refused',
        '',
      ].join('\n'),
    )
    expect(exitOfExec(outcomes?.slice(0, 3) ?? [])).toBe(4)
  })

  it('gives one object a node, with what was cut told', async () => {
    const { done } = exec(['press-*', '-o', 'json', '--max-output', '4B', '--', 'x'], {
      'press-1': says('ab\x1b[31mcd'),
      'press-2': (channel) => channel.exit(137, 'KILL'),
      'mill-1': says('not asked'),
    })
    await done
    const out = io.out()
    expect(isSafe(out.replaceAll('\n', ''))).toBe(true)
    expect(JSON.parse(out)).toMatchObject([
      { node: 'press-1', ok: true, exitCode: 0, stdout: 'ab\x1b[', stdoutBytes: 9, truncated: true, error: null },
      { node: 'press-2', ok: false, end: 'exited', exitCode: 137, signal: 'KILL', label: 'mia@press-2:22' },
    ])
    expect(io.err()).toContain('press-1: 5 B of its output were not kept')
  })

  it('writes down each node before and after, and the recording with its digest', async () => {
    const { done } = exec(['--all', '--why', 'disk full', '--', 'df'], {
      'press-1': says('x\n', 1),
      'press-9': refused,
    })
    await done
    const records = file.read().map(({ record }) => record)
    expect(records).toMatchObject([
      {
        phase: 'intent',
        verb: 'exec',
        node: { key: 'press-1', site: 'plant-a' },
        why: 'disk full',
        args: { command: 'df', where: 'mia@press-1:22', how: 'ssh' },
      },
      { phase: 'outcome', of: 1, code: 'OK', args: { exit: 1, outBytes: 2 } },
      {
        phase: 'outcome',
        verb: 'exec',
        node: null,
        args: { total: 2, ok: 0, failed: 1, unreachable: 1, sha256: 'ab'.repeat(32) },
      },
    ])
  })

  it('runs nothing on a node where it cannot be written down', async () => {
    writeFileSync(join(dir, 'taken'), '')
    file = new JournalFile(join(dir, 'taken', 'mia.ndjson'), 'mia')
    const { done, hosts } = exec(['press-1', '--', 'x'], { 'press-1': says('ran') })
    const outcomes = await done
    expect(outcomes?.[0]?.end).toMatchObject({ kind: 'unreachable', code: 'AUDIT_FAILING' })
    expect((hosts.get('press-1') as ScriptedHost).channels).toEqual([])
  })

  it('asks in a production context, and takes --yes with --why alone', async () => {
    const nodes = { 'press-1': says(''), 'press-2': says('') }
    const production = { production: true, context: 'plant' }
    await expect(exec(['--all', '--', 'x'], nodes, production).done).rejects.toThrow('nobody is asked')
    const asked: string[] = []
    const ask = (answer: string, why = '') => {
      return async (question: string) => {
        asked.push(question)
        return question.startsWith('Why?') ? why : answer
      }
    }
    await expect(exec(['--all', '--', 'x'], nodes, { ...production, ask: ask('y') }).done).rejects.toThrow('not run')
    expect(await exec(['--all', '--', 'x'], nodes, { ...production, ask: ask('2', 'slow') }).done).toHaveLength(2)
    await expect(exec(['--all', '--', 'x'], nodes, { ...production, ask: ask('2', ' ') }).done).rejects.toThrow(
      'reason',
    )
    expect(
      await exec(['--all', '--why', 'known', '--', 'x'], nodes, { ...production, ask: ask('2') }).done,
    ).toHaveLength(2)
    expect(asked[0]).toBe('PRODUCTION plant: run x\non 2 nodes: press-1, press-2\nType the number of nodes to run it: ')
    expect(() => exec(['--all', '--yes', '--', 'x'], nodes)).toThrow('--yes takes --why')
    expect(() => exec(['--all', '--yes', '--why', ' ', '--', 'x'], nodes)).toThrow('--yes takes --why')
    expect(await exec(['--all', '--yes', '--why', 'night job', '--', 'x'], nodes, production).done).toHaveLength(2)
  })

  it('writes down no secret that stands in the command', async () => {
    const { done } = exec(['press-1', '--', 'mysql', '--password', 'hunter2'], { 'press-1': says('') })
    await done
    const written = readFileSync(join(dir, 'mia.ndjson'), 'utf8')
    expect(written).toContain('mysql --password *******')
    expect(written).not.toContain('hunter2')
  })

  it('refuses whoever has no shell right, or not at every site of the selection', async () => {
    const nodes = { 'press-1': says(''), 'mill-1': says('') }
    const standing = (rights: object) => ({
      standing: { ...LOCAL_STANDING, rights: { ...LOCAL_STANDING.rights, ...rights } },
    })
    const run = (rights: object, ...selector: string[]) => exec([...selector, '--', 'x'], nodes, standing(rights)).done
    await expect(run({ permissions: [] }, 'press-1')).rejects.toThrow('takes the permission shell')
    await expect(run({ role: 'viewer' }, 'press-1')).rejects.toThrow('takes the role operator')
    await expect(run({ sites: ['plant-a'] }, '--all')).rejects.toThrow('takes the site plant-b')
    expect(await run({ sites: ['plant-a'] }, 'press-1')).toHaveLength(1)
  })

  it('names what it does not know, and what would run without running it', async () => {
    const nodes = { 'press-1': says(''), 'mill-1': says('') }
    await expect(exec(['pres-1', '--', 'x'], nodes).done).rejects.toMatchObject({
      code: 'USAGE',
      message: 'no node is called pres-1',
      next: ['did you mean press-1?'],
    })
    await expect(exec(['site=nowhere', '--', 'x'], nodes).done).rejects.toThrow('no node is selected')
    const { done, hosts } = exec(['--all', '--dry-run', '--shell', 'a | b'], nodes)
    expect(await done).toBeNull()
    expect(io.out()).toBe('would run on 2 nodes, 10 at a time: a | b\n  press-1\n  mill-1\n')
    expect((hosts.get('press-1') as ScriptedHost).channels).toEqual([])
  })

  it('asks programs to stop at the first interrupt and breaks off at the second', async () => {
    const stubborn: Play = (channel) => {
      channel.obeys = false
    }
    const { done, hosts, interruptAgain } = exec(['--all', '--', 'x'], { 'press-1': stubborn })
    const host = hosts.get('press-1') as ScriptedHost
    await vi.waitFor(() => expect(host.channels[0]?.obeys).toBe(false), { timeout: 60_000 })
    io.abort()
    expect(host.channels[0]?.signals).toEqual(['INT'])
    interruptAgain()
    expect((await done)?.[0]?.end).toEqual({ kind: 'interrupted', seen: false })
    expect(io.err()).toContain('asking press-1 to stop; again breaks off')
  })

  it('gives standard input to each', async () => {
    const echo: Play = (channel) => void channel.say(channel.received).exit(0)
    const input = (async function* () {
      yield Buffer.from('line\n')
    })()
    const { done } = exec(['--all', '--stdin', '--', 'cat'], { 'press-1': echo, 'press-2': echo }, { input })
    await done
    expect(io.out().split('\n').sort()).toEqual(['', 'press-1 | line', 'press-2 | line'])
  })
})

describe('the command line of exec', () => {
  const read = (...words: string[]) => readCommandLine(['exec', ...words], '1')

  it('takes what stands behind -- as it is', () => {
    const request = read('press-1', 'press-2', '-o', 'json', '--', 'grep', '-o', '--all', 'a b')
    expect(request).toMatchObject({ command: "grep -o --all 'a b'", format: 'json', parallel: 10 })
  })

  it.each([
    [['--', 'x'], 'say on which nodes'],
    [['press-1'], 'write the command behind --'],
    [['press-1', 'uptime'], 'write the command behind --'],
    [['--all', 'press-1', '--', 'x'], 'leave one of them out'],
    [['--all', '--shell', 'x', '--', 'y'], 'leave one of them out'],
    [['--all', '--parallel', '0', '--', 'x'], 'Expected 1 or more'],
    [['--all', '--max-output', '1', '--', 'x'], 'Expected a size'],
    [['--all', '--diff', '--', 'x'], '--diff goes with -o grouped'],
    [['colour:red', '--', 'x'], 'no field'],
  ])('refuses %j', (words, message) => {
    expect(() => read(...words)).toThrow(message)
  })
})
