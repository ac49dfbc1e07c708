import { fork } from 'node:child_process'
import { appendFileSync, chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { OperatorAuditEntry } from '../../../protocol/audit.ts'
import { checkChain } from '../../../protocol/audit-chain.ts'
import { journalOf, journalsOf } from '../../../src/audit/audit-folder.ts'
import { OperatorJournal } from '../../../src/audit/command-journal.ts'
import { JournalFile, type JournalLine } from '../../../src/audit/journal-file.ts'
import type { SentCommand } from '../../../src/link/link.ts'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgedeck-journal-'))
})

afterEach(() => rm(dir, { recursive: true, force: true }))

function entry(verb: string): OperatorAuditEntry {
  return { timestamp: 1_793_000_000_000, phase: 'intent', verb, node: { key: 'press-4' } }
}

const records = (lines: readonly JournalLine[]) => lines.flatMap(({ record }) => (record === null ? [] : [record]))

test('appends one chain that only its owner can read, a file for each context and operator', async () => {
  const file = journalOf(dir, { context: 'eu', operator: '米亚' })
  for (const verb of ['a', 'b', 'c']) await file.append(entry(verb))
  await journalOf(dir, { context: 'us', operator: '米亚' }).append(entry('d'))
  expect(statSync(file.path).mode & 0o777).toBe(0o600)
  const [own, ...others] = journalsOf(dir, 'eu')
  expect(others).toEqual([])
  expect(own?.operator).toBe('米亚')
  const written = records(own?.read() ?? [])
  expect(written.map(({ verb, operator }) => `${verb} ${operator}`)).toEqual(['a 米亚', 'b 米亚', 'c 米亚'])
  expect(new Set(written.map(({ journal }) => journal)).size).toBe(1)
  expect(checkChain(written)).toMatchObject({ first: { n: 1 }, head: { n: 3 }, faults: [] })
})

test('cuts what a dying console left without an end, and goes on behind what somebody scribbled', async () => {
  const file = new JournalFile(join(dir, 'j.ndjson'), 'mia')
  await file.append(entry('a'))
  appendFileSync(file.path, '{"journal":"half')
  await file.append(entry('b'))
  expect(checkChain(records(file.read()))).toMatchObject({ head: { n: 2 }, faults: [] })
  appendFileSync(file.path, 'scribble\n')
  await file.append(entry('c'))
  const lines = file.read()
  expect(lines.map(({ record }) => record?.chain.n ?? null)).toEqual([1, 2, null, 3])
  expect(checkChain(records(lines)).faults).toEqual([])
})

test('refuses a file that others can read, and a folder that cannot be written', async () => {
  const file = new JournalFile(join(dir, 'j.ndjson'), 'mia')
  await file.append(entry('a'))
  chmodSync(file.path, 0o644)
  await expect(file.append(entry('b'))).rejects.toMatchObject({
    code: 'AUDIT_FAILING',
    next: [`run: chmod 600 ${file.path}`],
  })
  writeFileSync(join(dir, 'taken'), '')
  const lost = new JournalFile(join(dir, 'taken', 'j.ndjson'), 'mia')
  await expect(lost.append(entry('a'))).rejects.toMatchObject({ code: 'AUDIT_FAILING' })
})

test('several consoles at once write one chain', async () => {
  const path = join(dir, 'j.ndjson')
  const program = new URL('../../support/journal-writer.ts', import.meta.url)
  const ended = Array.from({ length: 3 }, () => {
    const child = fork(program, [path, '20'])
    return new Promise<number | null>((resolve) => child.on('exit', resolve))
  })
  expect(await Promise.all(ended)).toEqual([0, 0, 0])
  expect(checkChain(records(new JournalFile(path, 'mia').read()))).toMatchObject({ head: { n: 60 }, faults: [] })
})

test('writes a command before it is sent and what came of it, without secrets; what cannot be written is not sent', async () => {
  const file = new JournalFile(join(dir, 'j.ndjson'), 'mia')
  const faults: string[] = []
  const journal = new OperatorJournal({ file: () => file, onFault: (msg) => faults.push(msg), nowMs: () => 1000 })
  const command: SentCommand = {
    key: 'press-4',
    node: { site: 'plant-a', name: 'p4' },
    verb: 'resend',
    args: { requestId: 'r1', token: 'x' },
    envelope: { nonce: 'q83vASNFZ4mrze8BI0VniQ' } as SentCommand['envelope'],
    why: 'drill',
  }
  await journal.sending(command)
  expect(readFileSync(file.path, 'utf8')).toContain('"phase":"intent"')
  journal.answered(command, { ok: false, code: 'RIGHT_MISSING', message: 'no', next: [] })
  journal.happened({ verb: 'login', code: 'OK' })
  await journal.settled()
  const about = {
    verb: 'resend',
    node: { key: 'press-4', site: 'plant-a', name: 'p4' },
    nonce: 'q83vASNFZ4mrze8BI0VniQ',
  }
  expect(records(file.read())).toMatchObject([
    { ...about, phase: 'intent', args: { requestId: 'r1', token: '…' }, why: 'drill' },
    { ...about, phase: 'outcome', of: 1, code: 'RIGHT_MISSING', msg: 'no' },
    { verb: 'login', node: null, phase: 'outcome', code: 'OK' },
  ])
  chmodSync(file.path, 0o644)
  await expect(journal.sending(command)).rejects.toMatchObject({ code: 'AUDIT_FAILING' })
  journal.answered(command, { ok: true, result: {} })
  await journal.settled()
  expect(faults).toEqual([expect.stringContaining('chmod 600')])
})
