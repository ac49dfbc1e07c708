import { expect, test } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import type { BegunAct, BegunEntry } from '../../../src/audit/command-journal.ts'
import { NOBODY_TO_ASK, type RemoteHost } from '../../../src/remote/contract.ts'
import { openShell } from '../../../src/shell/open-shell.ts'

type ActOutcome = Parameters<BegunAct['ended']>[0]

/** A desk whose journal is looked at. */
function deskOf() {
  const begun: BegunEntry[] = []
  const ended: ActOutcome[] = []
  const desk = {
    context: 'plant',
    production: false,
    who: () => 'mia',
    journal: {
      begins: async (entry: BegunEntry) => {
        begun.push(entry)
        return { ended: (outcome: ActOutcome) => void ended.push(outcome) }
      },
    },
    // A file stands where a folder should be: there is no recording.
    recordingsDir: '/dev/null',
    record: { maxBytes: 1000, redact: [], input: false },
    named: () => ({}),
    tellNode: async () => ({ ok: false, code: 'NODE_UNREACHABLE', message: 'down', next: [] }) as const,
    nowMs: () => 0,
  }
  return { desk, begun, ended }
}

const SHELL = { why: null, term: 'xterm', size: { columns: 80, rows: 24 }, prompter: NOBODY_TO_ASK } as const

test('is called off while the shell is asked for: nothing stays open, and the journal tells of it', async () => {
  const { desk, begun, ended } = deskOf()
  let isClosed = false
  const asked = Promise.withResolvers<void>()
  const host: RemoteHost = {
    how: 'ssh',
    label: 'mia@press-4:22',
    openShell: () => {
      asked.resolve()
      return new Promise(() => undefined)
    },
    run: () => Promise.reject(new Error('nobody runs anything here')),
    close: async () => {
      isClosed = true
    },
  }
  const stop = new AbortController()
  const place = { how: 'ssh', label: host.label, detail: '', open: async () => host } as const
  const wish = { ...SHELL, nodeKey: 'press-4', place, signal: stop.signal }
  const opening = openShell(desk, wish)
  await asked.promise
  stop.abort()
  await expect(opening).rejects.toThrow('called off')
  expect(isClosed).toBe(true)
  expect(begun).toMatchObject([{ verb: 'shell' }])
  expect(ended).toMatchObject([{ code: 'SHELL_REFUSED' }])
})

test('writes down who tried and did not get in', async () => {
  const { desk, begun, ended } = deskOf()
  const refusal = new EdgeError('SSH_LOGIN_REFUSED', { message: 'press-4 lets mia not in', next: ['ask'] })
  const place = { how: 'ssh', label: 'mia@press-4:22', detail: '', open: () => Promise.reject(refusal) } as const
  const wish = { ...SHELL, nodeKey: 'press-4', place, why: 'belt stands', signal: new AbortController().signal }
  await expect(openShell(desk, wish)).rejects.toBe(refusal)
  expect(begun).toMatchObject([{ verb: 'shell', args: { where: 'mia@press-4:22' }, why: 'belt stands' }])
  expect(ended).toMatchObject([{ code: 'SSH_LOGIN_REFUSED', msg: 'press-4 lets mia not in' }])
})
