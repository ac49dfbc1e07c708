import { createHash } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib'
import { connect, headers } from 'nats'
import { expect, test } from 'vitest'
import type { OperatorAuditRecord } from '../../../protocol/audit.ts'
import { AUDIT_GENESIS, headOf, link } from '../../../protocol/audit-chain.ts'
import { OperatorJournal } from '../../../src/audit/command-journal.ts'
import { JournalFile } from '../../../src/audit/journal-file.ts'
import { runAudit } from '../../../src/commands/audit.ts'
import { JournalShipping } from '../../../src/commands/journal-shipping.ts'
import { runResend } from '../../../src/commands/resend.ts'
import type { CloudAddress } from '../../../src/config/cloud-address.ts'
import type { IdentityState } from '../../../src/identity/identity-source.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { DaemonHome, eventually } from '../../support/edge-daemon.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'

const regionAt = ({ url }: NatsFixture): CloudAddress => ({ name: 'eu', servers: [url], stream: 'EDGE' })
const VERSION = { version: '0.0.0' }

interface Row {
  readonly chain: string
  readonly where: string
  readonly last: number | null
  readonly fault: string | null
  readonly kind: string | null
}

/** A stream of audit records with the messages of another one, each as `change` makes it; null leaves it out. */
async function copyOf(
  from: NatsFixture,
  to: NatsFixture,
  change: (lines: string[], subject: string, at: number) => string[] | null,
): Promise<void> {
  await to.addAuditStream()
  const connection = await connect({ servers: to.url })
  try {
    for (const subject of ['edge.plant-a.press-4.audit', 'audit.operator.mia']) {
      for (const [at, { data, header }] of (await from.messages(subject)).entries()) {
        const encoding = header.get('Content-Encoding')
        const plain =
          encoding === 'zstd' ? zstdDecompressSync(data) : encoding === 'gzip' ? gunzipSync(data) : Buffer.from(data)
        const lines = change(plain.toString().trimEnd().split('\n'), subject, at)
        if (lines === null) continue
        const text = Buffer.from(`${lines.join('\n')}\n`)
        const head = headers()
        for (const [name, values] of header) if (!name.startsWith('Nats-')) head.set(name, values[0] ?? '')
        // Whoever forges a block forges its digest too.
        if (encoding !== '') head.set('Edge-Digest', createHash('sha256').update(text).digest('hex'))
        if (encoding !== '') head.set('Content-Encoding', 'gzip')
        await connection.request(subject, encoding === '' ? text : gzipSync(text), { headers: head, timeout: 60_000 })
      }
    }
  } finally {
    await connection.close()
  }
}

test('finds what was altered, cut off, removed or forged, in the stream, on the node and in the file', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  await nats.addAuditStream()
  await using home = new DaemonHome()
  home.configure({
    'node.name': 'press-4',
    'node.site': 'plant-a',
    'upstream.nats.servers': [nats.url],
    'faults.allow': true,
  })
  const { daemon, liveUrl } = await home.serve()
  const node = { key: 'press-4', url: liveUrl }
  const region = regionAt(nats)
  const auditDir = join(home.dir, 'journals')
  const file = new JournalFile(join(auditDir, 'default', 'mia.ndjson'), 'mia')
  const shipping = new JournalShipping({ clouds: [region], file: () => file })
  const journal = new OperatorJournal({ file: () => file, onWritten: () => shipping.wrote() })
  const range = { fromMs: Date.now() - 60_000, toMs: Date.now(), classes: null, target: null, again: false }
  for (const requestId of ['r1', 'r2', 'r3']) {
    const request = {
      name: 'press-4',
      node,
      access: { ...VERSION, journal },
      ...range,
      requestId,
      why: 'a day is missing',
    }
    const done = await runResend({ ...request, wait: false, format: 'json', timeoutMs: 60_000 }, new CapturedIo())
    expect(done).toBe(true)
    await journal.settled()
    // Each command a message of its own.
    expect(await shipping.finish()).toBeNull()
  }

  const audit = async (changes: Partial<Parameters<typeof runAudit>[0]> = {}) => {
    const io = new CapturedIo()
    const request = {
      nodes: [node],
      clouds: [region],
      access: VERSION,
      context: 'default',
      auditDir,
      names: [],
      operator: null,
    }
    const wish = { fromMs: 0, verify: true, format: 'json', timeoutMs: 60_000 } as const
    const outcome = await runAudit({ ...request, ...wish, ...changes }, io)
    return { outcome, out: io.out(), err: io.err() }
  }
  const faultsOf = async (changes: Parameters<typeof audit>[0] = {}) => {
    const { outcome, out } = await audit(changes)
    const rows = JSON.parse(out) as Row[]
    const faults = rows.flatMap(({ chain, where, fault }) => (fault === null ? [] : [`${chain}, ${where}: ${fault}`]))
    expect(outcome).toBe(faults.length === 0 ? 'sound' : 'faulty')
    return faults
  }
  await eventually(async () => (await nats.messages('edge.plant-a.press-4.audit')).length > 0, {
    what: 'it is shipped',
  })
  await eventually(
    async () => (JSON.parse((await audit()).out) as Row[]).filter(({ last }) => last === 6).length === 4,
    {
      what: 'node, file and stream have all six records each',
    },
  )
  expect(await faultsOf()).toEqual([])
  const told = await audit({ verify: false, format: 'table' })
  expect(told.out.split('\n')[1]).toMatch(
    /local \(admin\) +plant-a\/press-4 +resend .*r1.* OK .*node\+own\+stream +a day is missing/,
  )
  expect(told.out.trimEnd().split('\n')).toHaveLength(4)

  // The stream of a hub that somebody rewrote.
  const forgeries: [what: RegExp, change: Parameters<typeof copyOf>[2]][] = [
    [
      /^plant-a\/press-4, stream in eu: record 1 was altered/,
      (lines, subject) =>
        subject.startsWith('edge.')
          ? lines.map((line) => line.replace('a day is missing', 'nothing').replace('"r1"', '"r9"'))
          : lines,
    ],
    [
      /^mia on .*, stream in eu: records? 3.* (?:is|are) missing/,
      (lines, subject, at) => (subject.startsWith('audit.') && at === 1 ? null : lines),
    ],
    [
      /^mia on .*, stream: records 5 to 6 are not in the stream/,
      (lines, subject, at) => (subject.startsWith('audit.') && at === 2 ? null : lines),
    ],
    [
      /^audit\.operator\.mia, stream in eu: message \d+ is no record/,
      (lines, subject) =>
        subject.startsWith('audit.')
          ? lines.map((line) => line.replace('"operator":"mia"', '"operator":"ben"'))
          : lines,
    ],
  ]
  for (const [what, change] of forgeries) {
    await using forged = await natsFixture()
    await copyOf(nats, forged, change)
    expect(await faultsOf({ clouds: [regionAt(forged)] })).toContainEqual(expect.stringMatching(what))
  }

  // The file of an operator who would rather not have done it.
  const whole = readFileSync(file.path, 'utf8')
  const lines = whole.trimEnd().split('\n')
  const asFile = (kept: readonly string[]): void => writeFileSync(file.path, `${kept.join('\n')}\n`)
  const tampered: [what: RegExp, kept: readonly string[]][] = [
    [/mia on .*, file: record 1 was altered/, lines.map((line) => line.replace('a day is missing', 'a drill'))],
    [/mia on .*, file: records 5 to 6 are cut off at the end, by what the stream in eu holds/, lines.slice(0, 4)],
    [/mia on .*, file: records 3 to 4 are missing/, [...lines.slice(0, 2), ...lines.slice(4)]],
    [/mia on .*, file: records 1 to 2 are missing/, lines.slice(2)],
    [
      /mia on .*, file: record 2 stands behind a later one/,
      [lines[0], lines[2], lines[1], ...lines.slice(3)] as string[],
    ],
    [/mia on .*, file: record 6 was altered, by what the stream/, [...lines.slice(0, 5), rewritten(lines)]],
    [/mia on .*, file: line 7 is no record/, [...lines, 'scribble']],
  ]
  for (const [what, kept] of tampered) {
    asFile(kept)
    expect(await faultsOf()).toContainEqual(expect.stringMatching(what))
  }
  writeFileSync(file.path, whole)

  // What was not read is not called sound, and nothing is missing in it.
  const dark = { name: 'us', servers: ['nats://127.0.0.1:1'], stream: 'EDGE' }
  const half = await audit({ clouds: [region, dark] })
  expect(half).toMatchObject({ outcome: 'unanswered', err: expect.stringMatching(/ us \(/) })
  expect(JSON.parse(half.out)).toContainEqual(
    expect.objectContaining({ where: 'stream in us', verdict: 'unread', fault: null }),
  )

  // A node that does not answer is told of by the stream; and it is said that it did not answer.
  expect(await daemon.stop()).toMatchObject({ code: 0 })
  const dead = await audit()
  expect(dead).toMatchObject({ outcome: 'unanswered', err: expect.stringContaining('press-4: ') })
  expect(JSON.parse(dead.out)).toContainEqual(
    expect.objectContaining({ chain: 'plant-a/press-4', where: 'stream in eu', last: 6, fault: null }),
  )
  expect(JSON.parse(dead.out)).toContainEqual(
    expect.objectContaining({ chain: 'press-4', where: 'node', verdict: 'unread', fault: null }),
  )

  // Emptied, begun anew, or gone: the mark beside it and the stream remember what was in it.
  const gone = /^mia on .*, file: records 1 to 6 are cut off at the end, by what the stream in eu holds/
  const marked = /^mia on .*, file: records 1 to 6 are cut off at the end, by the mark of what was shipped/
  writeFileSync(file.path, '')
  expect(await faultsOf({ nodes: [] })).toEqual([expect.stringMatching(gone)])
  expect(await faultsOf({ nodes: [], clouds: [] })).toEqual([expect.stringMatching(marked)])
  await file.append({ timestamp: Date.now(), phase: 'outcome', verb: 'login', node: null, code: 'OK' })
  shipping.wrote()
  expect(await shipping.finish()).toBeNull()
  expect(await faultsOf({ nodes: [] })).toEqual([expect.stringMatching(gone)])
  expect(await faultsOf({ nodes: [], clouds: [] })).toEqual([expect.stringMatching(marked)])
  rmSync(file.path)
  expect(await faultsOf({ nodes: [], clouds: [] })).toContainEqual(expect.stringMatching(marked))
  rmSync(`${file.path}.shipped`)
  const held = { kind: 'held', identity: { name: 'mia', rights: { sites: '*' } } } as IdentityState
  const mia = { ...VERSION, identity: { current: () => held } }
  expect(await faultsOf({ nodes: [], access: mia })).toContainEqual(expect.stringMatching(gone))
  // Somebody else on this machine need not have it, nor whoever works in another context of the same fleet.
  expect(await faultsOf({ nodes: [] })).toEqual([])
  writeFileSync(file.path, whole, { mode: 0o600 })
  expect(await faultsOf({ nodes: [], access: mia, context: 'other' })).toEqual([
    expect.stringMatching(/^mia on .*, file: record 1 is cut off/),
  ])
}, 240_000)

/** The last record as somebody would forge it who knows how: with a sound hash. */
function rewritten(lines: readonly string[]): string {
  const [before, last] = lines.slice(-2).map((line) => JSON.parse(line) as OperatorAuditRecord)
  if (before === undefined || last === undefined) throw new Error('there are too few lines')
  const { chain: _, ...body } = last
  return JSON.stringify(
    link({ ...body, code: 'COMMAND_REFUSED' }, before === undefined ? AUDIT_GENESIS : headOf(before)),
  )
}
