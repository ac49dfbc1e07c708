import { expect, test } from 'vitest'
import { SessionBook } from '../../../edge-daemon/audit/session-book.ts'
import { shellCommands } from '../../../edge-daemon/commands/shells.ts'
import type { Peer } from '../../../edge-daemon/live/contract.ts'

const peer = (name: string): Peer =>
  ({ kind: 'operator', name, route: 'direct', address: '10.0.0.9', rights: { role: 'operator' } }) as Peer

test('tells who has a shell while they are here, until its end or for a day, and nobody ends that of others', async () => {
  let nowMs = 1_000_000
  const book = new SessionBook(() => nowMs)
  const table = shellCommands(book)
  const by = (name: string) => ({ kind: 'operator', name, rights: peer(name).rights, certificate: null }) as const
  const mia = book.open(peer('mia'))
  book.open(peer('ben'))
  const shellsOf = (who: string) => book.told().sessions?.find((fact) => fact.who === who)?.shells
  expect(table['shell.begin']({ id: 'a', how: 'ssh', where: 'mia@n1:22' }, by('mia'))).toEqual({})
  nowMs += 5000
  table['shell.begin']({ id: 'b', how: 'pod', where: 'vision/app' }, by('mia'))
  expect(shellsOf('mia')).toEqual({ open: 2, since: 1_000_000 })
  expect(shellsOf('ben')).toBeUndefined()

  table['shell.end']({ id: 'a' }, by('ben'))
  expect(shellsOf('mia')?.open).toBe(2)
  table['shell.end']({ id: 'a', exit: 0 }, by('mia'))
  expect(shellsOf('mia')).toEqual({ open: 1, since: 1_005_000 })

  book.close(mia)
  expect(shellsOf('mia')).toBeUndefined()
  book.open(peer('mia'))
  expect(shellsOf('mia')?.open).toBe(1)
  nowMs += 25 * 3_600_000
  expect(shellsOf('mia')).toBeUndefined()
  expect(() => table['shell.begin']({ id: 'a b', how: 'ssh', where: 'x' }, by('mia'))).toThrow('shell.begin needs')
})
