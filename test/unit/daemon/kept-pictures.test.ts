import { expect, test } from 'vitest'
import { InputChoice } from '../../../edge-daemon/input-choice.ts'
import { readPicture } from '../../../edge-daemon/kept-pictures.ts'
import { ResultKeeper } from '../../../edge-daemon/result-keeper.ts'
import { ResultFilter } from '../../../edge-daemon/upstream/filter.ts'
import { inputRecordSchema } from '../../../protocol/records.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const RESULT = { code: 200, pred: 7, confidence: 0.4, model: 'digits@1', total_ms: 5, bytes: 9, timestamp: 1000 }

function keeping(store: MemoryStore, why: string | null): ResultKeeper {
  const inputs = new InputChoice({ keepAbnormal: true, sampleEvery: 0, maxBytes: 1000, bytesPerSec: 1e6 }, () => 0)
  const filter = new ResultFilter({ judge: () => why, abnormalPerSec: 10 }, () => 0)
  return new ResultKeeper({ filter, inputs, store, onRefused: () => undefined })
}

test('keeps the picture of an abnormal result directly behind it, in the same commit', async () => {
  const store = new MemoryStore()
  const commits: number[] = []
  store.onCommit((records) => commits.push(records.length))
  const picture = Buffer.from('no picture')
  const kept = await keeping(store, 'odd').keep(RESULT, picture)
  expect(kept).toMatchObject({ stored: true, seq: 1, reason: 'odd' })
  expect(commits).toEqual([2])
  expect(store.records.map((record) => record.class)).toEqual(['abnormal', 'input'])
  const input = inputRecordSchema.parse(JSON.parse(store.records[1]?.line ?? ''))
  expect(input).toMatchObject({ seq: 2, timestamp: 1000, content_type: 'application/octet-stream', bytes: 10 })
  const found = await readPicture(store, 1, 'allow')
  expect(Buffer.from(found.base64, 'base64')).toEqual(picture)
})

test('tells a result without a picture from no result', async () => {
  const store = new MemoryStore()
  await keeping(store, null).keep(RESULT, Buffer.from('no picture'))
  await expect(readPicture(store, 1, 'allow')).rejects.toThrow(/kept without its picture/)
  await expect(readPicture(store, 5, 'allow')).rejects.toThrow(/no result 5/)
  await expect(readPicture(store, 1, 'deny')).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
})
