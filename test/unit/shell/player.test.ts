import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { CastEvent } from '../../../src/shell/asciicast.ts'
import { Player } from '../../../src/shell/player.ts'
import { readRecording } from '../../../src/shell/read-recording.ts'

async function* of(...events: readonly (readonly [number, string])[]): AsyncGenerator<CastEvent> {
  for (const [atMs, data] of events) yield { atMs, code: 'o', data }
}

function player(options: { speed?: number; idleLimitMs?: number | null; sleep?: () => Promise<void> } = {}) {
  const slept: number[] = []
  const drawn: string[] = []
  const made = new Player({
    speed: options.speed ?? 1,
    idleLimitMs: options.idleLimitMs ?? null,
    draw: (data) => void drawn.push(data),
    told: () => undefined,
    sleep: (ms) => {
      slept.push(ms)
      return options.sleep?.() ?? Promise.resolve()
    },
  })
  return { made, slept, drawn }
}

test('keeps the times, as fast as is wanted, and waits no longer than is wanted', async () => {
  const { made, slept, drawn } = player({ speed: 2, idleLimitMs: 1000 })
  expect(await made.play(of([0, 'a'], [500, 'b'], [60_500, 'c']))).toBe(true)
  expect(slept).toEqual([250, 500])
  expect(drawn).toEqual(['a', 'b', 'c'])
})

test('waits for years, too, with timers that last some weeks at most', async () => {
  const { made, slept } = player()
  await made.play(of([0, 'a'], [3_600_000 * 600 + 7, 'b']))
  expect(slept).toHaveLength(601)
  expect(slept.every((ms) => ms <= 3_600_000)).toBe(true)
})

test('is held, goes on a step, and is stopped', async () => {
  const turns: (() => void)[] = []
  let turn = 0
  const { made, drawn } = player({
    sleep: async () => {
      turns[turn]?.()
      turn += 1
    },
  })
  turns.push(
    () => made.toggle(),
    () => made.step(),
    () => expect(drawn).toEqual(['a', 'b']),
    () => made.toggle(),
    () => undefined,
    () => made.stop(),
  )
  expect(await made.play(of([0, 'a'], [1000, 'b'], [2000, 'c'], [3000, 'd']))).toBe(false)
  expect(drawn.slice(0, 2)).toEqual(['a', 'b'])
  expect(drawn).not.toContain('d')
})

test('reads a recording up to where it is whole, and says of other files that they are none', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-play-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'a.cast')
  writeFileSync(file, '{"version":2,"width":80,"height":24}\n[0.5,"o","a"]\n[0.2,"o","b"]\n[0.9,"o","c')
  const { header, events } = await readRecording(file)
  expect(header).toMatchObject({ width: 80, about: null })
  const read: CastEvent[] = []
  for await (const event of events) read.push(event)
  expect(read).toEqual([
    { atMs: 500, code: 'o', data: 'a' },
    { atMs: 500, code: 'o', data: 'b' },
  ])
  writeFileSync(file, '{"version":1}\n')
  await expect(readRecording(file)).rejects.toMatchObject({ code: 'RECORDING_UNUSABLE' })
  writeFileSync(file, '')
  await expect(readRecording(file)).rejects.toMatchObject({ code: 'RECORDING_UNUSABLE' })
  await expect(readRecording(join(dir, 'none'))).rejects.toMatchObject({ code: 'RECORDING_UNUSABLE' })
})

test('reads a file of one line without end, as one and as a header, without holding it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-cast-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'huge.cast')
  // Longer than a string of this runtime can be; a hole on the disk.
  const size = 700_000_000
  writeFileSync(file, '{"version":2,"width":80,"height":24}\n[0.1,"o","hi"]\n')
  truncateSync(file, size)
  const { events } = await readRecording(file)
  const read: CastEvent[] = []
  for await (const event of events) read.push(event)
  expect(read).toEqual([{ atMs: 100, code: 'o', data: 'hi' }])
  writeFileSync(file, '{"version":2,')
  truncateSync(file, size)
  await expect(readRecording(file)).rejects.toMatchObject({ code: 'RECORDING_UNUSABLE' })
})
