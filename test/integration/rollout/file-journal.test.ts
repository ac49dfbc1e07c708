import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FileJournal } from '../../../src/rollout/journal/file-journal.ts'
import { FileLeases } from '../../../src/rollout/journal/file-lease.ts'
import { planOf, started, took } from '../../support/rollout/events.ts'
import { journalLaws } from '../../support/rollout/journal-laws.ts'
import { leaseLaws, taken } from '../../support/rollout/lease-laws.ts'

function folder(): { dir: string } & AsyncDisposable {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-rollouts-'))
  return {
    dir,
    [Symbol.asyncDispose]: async () => {
      chmodSync(dir, 0o700)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

describe('a journal in a folder', () => {
  journalLaws(async () => {
    const { dir, ...rest } = folder()
    const journal = (): FileJournal => new FileJournal({ dir: join(dir, 'rollouts'), lookEveryMs: 10 })
    return { one: journal(), other: journal(), ...rest }
  })
})

describe('leases in a folder', () => {
  leaseLaws(async (leaseMs) => {
    const { dir, ...rest } = folder()
    const leases = (): FileLeases => new FileLeases({ dir: join(dir, 'rollouts'), leaseMs })
    return { one: leases(), other: leases(), leaseMs, ...rest }
  })
})

test('leases and entries of a rollout share its folder, and nothing else is left there', async () => {
  await using place = folder()
  const { dir } = place
  const [journal, leases] = [new FileJournal({ dir }), new FileLeases({ dir })]
  await journal.append('r1', started(planOf(['n1'])), 0)
  for (const holder of ['a', 'b', 'c']) await (await taken(leases, holder)).release()
  await journal.append('r1', took(1), 0)
  await journal.append('r1', took(1), 1)
  expect(readdirSync(join(dir, 'r1')).toSorted()).toEqual(['00000001.json', '00000002.json', 'lease-00000003.json'])
  expect(await journal.list()).toEqual(['r1'])
})

test('a damaged or missing entry is told and nothing is taken for its place', async () => {
  await using place = folder()
  const journal = new FileJournal({ dir: place.dir })
  const path = (seq: number): string => join(place.dir, 'r1', `0000000${seq}.json`)
  await journal.append('r1', started(planOf(['n1'])), 0)
  await journal.append('r1', took(1), 1)
  await journal.append('r1', took(2), 2)
  const second = readFileSync(path(2), 'utf8')
  for (const bad of [
    '',
    second.slice(0, 20),
    second.replace('"seq":2', '"seq":3'),
    second.replace('driver.took', 'x'),
  ]) {
    writeFileSync(path(2), bad)
    await expect(journal.read('r1')).rejects.toMatchObject({ code: 'JOURNAL_FAILING' })
  }
  writeFileSync(path(2), second)
  expect(await journal.read('r1')).toHaveLength(3)
  rmSync(path(1))
  await expect(journal.read('r1')).rejects.toMatchObject({ code: 'JOURNAL_FAILING' })
})

test('a folder that takes nothing is told, and names that lead out of it are nobody', async () => {
  await using place = folder()
  const file = join(place.dir, 'not-a-folder')
  writeFileSync(file, '')
  const journal = new FileJournal({ dir: file })
  await expect(journal.append('r1', started(planOf(['n1'])), 0)).rejects.toMatchObject({ code: 'JOURNAL_FAILING' })
  await expect(new FileLeases({ dir: file }).take('r1', 'mia')).rejects.toMatchObject({ code: 'JOURNAL_FAILING' })
  for (const id of ['..', '../r1', 'a/b', '', '.x']) {
    await expect(new FileJournal({ dir: place.dir }).read(id)).rejects.toMatchObject({ code: 'ROLLOUT_MISSING' })
  }
})
