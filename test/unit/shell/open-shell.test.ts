import { expect, test } from 'vitest'
import type { BegunAct, BegunEntry } from '../../../src/audit/command-journal.ts'
import { NOBODY_TO_ASK, type RemoteHost } from '../../../src/remote/contract.ts'
import { openShell } from '../../../src/shell/open-shell.ts'

type ActOutcome = Parameters<BegunAct['ended']>[0]

test('is called off while the shell is asked for: nothing stays open, and the journal tells of it', async () => {
  const begun: BegunEntry[] = []
  const ended: ActOutcome[] = []
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
  const stop = new AbortController()
  const place = { how: 'ssh', label: host.label, detail: '', open: async () => host } as const
  const size = { columns: 80, rows: 24 }
  const wish = {
    nodeKey: 'press-4',
    place,
    why: null,
    term: 'xterm',
    size,
    prompter: NOBODY_TO_ASK,
    signal: stop.signal,
  }
  const opening = openShell(desk, wish)
  await asked.promise
  stop.abort()
  await expect(opening).rejects.toThrow('called off')
  expect(isClosed).toBe(true)
  expect(begun).toMatchObject([{ verb: 'shell' }])
  expect(ended).toMatchObject([{ code: 'SHELL_REFUSED' }])
})
