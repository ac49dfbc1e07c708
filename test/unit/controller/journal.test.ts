import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { appendEntry, Journal } from '../../../src/controller/journal.ts'

const schema = z.strictObject({ n: z.int() })
const dirs: string[] = []

afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true })
})

function journal(file?: string) {
  if (file === undefined) dirs.push(mkdtempSync(join(tmpdir(), 'edgedeck-journal-')))
  const path = file ?? join(dirs.at(-1) as string, 'j.ndjson')
  const seen: number[] = []
  return { path, seen, journal: new Journal(path, schema, ({ n }) => seen.push(n)) }
}

test('what several append is seen by who follows, in order, and again after a restart', async () => {
  const one = journal()
  await one.journal.open()
  appendEntry(one.path, { n: 1 })
  await Promise.all([2, 3, 4].map((n) => one.journal.append({ n })))
  appendEntry(one.path, { n: 5 })
  one.journal.follow()
  expect(one.seen).toEqual([1, 2, 3, 4, 5])
  await one.journal.close()
  const two = journal(one.path)
  await two.journal.open()
  expect(two.seen).toEqual([1, 2, 3, 4, 5])
  await two.journal.close()
  expect(statSync(one.path).mode & 0o777).toBe(0o600)
})

test('a line that a death tore costs that line alone', async () => {
  const one = journal()
  appendEntry(one.path, { n: 1 })
  appendFileSync(one.path, '\n{"n":2')
  appendEntry(one.path, { n: 3 })
  appendFileSync(one.path, '\n{"n":"four"}\n')
  await one.journal.open()
  expect(one.seen).toEqual([1, 3])
  expect(one.journal.badLines).toBe(2)
  // The rest of a line that is being written comes later.
  const text = '\n{"n":5}\n'
  for (const char of text) {
    appendFileSync(one.path, char)
    one.journal.follow()
  }
  expect(one.seen).toEqual([1, 3, 5])
  await one.journal.close()
})

test('an entry that does not fit a line is refused, and a closed journal promises nothing', async () => {
  const one = journal()
  expect(() => appendEntry(one.path, { text: 'x'.repeat(5000) })).toThrow(RangeError)
  await one.journal.open()
  await one.journal.close()
  await expect(one.journal.append({ n: 1 })).rejects.toThrow('is closed')
  expect(readFileSync(one.path, 'utf8')).toBe('')
})
