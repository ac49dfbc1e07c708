import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readEvent, readHeader } from '../../../src/shell/asciicast.ts'
import { Recording, recordingPath } from '../../../src/shell/recording.ts'
import { RecordingFile } from '../../../src/shell/recording-file.ts'

const ABOUT = { context: 'acme', node: 'press-4', where: 'mia@10.0.0.4:22', who: 'mia', why: null, input: false }

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-cast-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

function begin(dir: string, options: { maxBytes?: number; input?: boolean; now?: () => number } = {}) {
  const { maxBytes = 1_000_000, input = false, now = () => 0 } = options
  const about = { ...ABOUT, input }
  const header = { width: 80, height: 24, startedMs: 1_793_000_000_000, title: 't', term: 'xterm', about }
  const file = recordingPath(dir, { context: 'acme', node: 'plant/press 4', atMs: 1_793_000_000_000 })
  return Recording.begin({ file, header, maxBytes, redact: [], monotonicMs: now })
}

function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8').trimEnd().split('\n')
}

test('is an asciicast of the owner alone: output with its times and cut letters whole, sizes, the end; no keys', async () => {
  let nowMs = 0
  const dir = folder()
  const recording = await begin(dir, { now: () => nowMs })
  const [first, second] = [Buffer.from('Grü').subarray(0, 3), Buffer.from('ü\r\n').subarray(1)]
  nowMs = 100
  recording.output(first)
  recording.input(Buffer.from('secret keys'))
  nowMs = 250.5
  recording.output(second)
  nowMs = 300
  recording.resize({ columns: 120, rows: 40 })
  nowMs = 400
  recording.output(Buffer.from('password=hunter2'))
  const end = await recording.finish('ended with exit code 3')
  expect(recording.path).toBe(join(dir, 'acme', '20261026T073320000Z-plant_press_4.cast'))
  expect(statSync(recording.path).mode & 0o777).toBe(0o600)
  const [head = '', ...events] = linesOf(recording.path)
  expect(readHeader(head)).toMatchObject({ width: 80, height: 24, startedMs: 1_793_000_000_000, about: ABOUT })
  expect(events.map((line) => JSON.parse(line))).toEqual([
    [0.1, 'o', 'Gr'],
    [0.2505, 'o', 'ü\r\n'],
    [0.3, 'r', '120x40'],
    [0.4, 'o', 'password=*******'],
    [0.4, 'x', 'ended with exit code 3'],
  ])
  expect(events.every((line) => readEvent(line) !== null)).toBe(true)
  const whole = readFileSync(recording.path)
  const sha256 = createHash('sha256').update(whole).digest('hex')
  expect(end).toEqual({ bytes: whole.length, sha256, fault: null, unrecordedBytes: 0 })
})

test('holds keys only where that is asked for', async () => {
  const recording = await begin(folder(), { input: true })
  recording.input(Buffer.from('ls\r'))
  await recording.finish('was left')
  expect(linesOf(recording.path)[1]).toBe('[0,"i","ls\\r"]')
})

test('stops at its limit, counts what came after it, and still tells the end', async () => {
  const recording = await begin(folder(), { maxBytes: 10_000 })
  const line = Buffer.from(`${'x'.repeat(99)}\n`)
  for (let at = 0; at < 1000; at += 1) recording.output(line)
  const end = await recording.finish('was left')
  const lines = linesOf(recording.path)
  expect(statSync(recording.path).size).toBeLessThanOrEqual(10_000)
  const recorded = lines.filter((text) => text.includes('"o"')).length
  expect(end.unrecordedBytes).toBe(100_000 - recorded * 100)
  expect(lines.slice(-2)).toEqual([
    `[0,"m","${end.unrecordedBytes} bytes after the limit of this recording are not in it"]`,
    '[0,"x","was left"]',
  ])
})

test('is refused where there can be no file, and goes on without one when the disk is full', async () => {
  const dir = folder()
  await begin(dir)
  await expect(begin(dir)).rejects.toMatchObject({ code: 'RECORDING_FAILING' })
  // /dev/full takes no byte, as a full disk does.
  const full: RecordingFile = Reflect.construct(RecordingFile as never, ['/dev/full', await open('/dev/full', 'w')])
  full.append('a line\n')
  const end = await full.finish()
  expect(end).toMatchObject({ bytes: 0, fault: expect.stringContaining('ENOSPC') })
  expect(full.isBehind).toBe(false)
})
