import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseLine } from '../../../edge-daemon/logs/lines/parse-line.ts'
import { CameraLog } from '../../../src/demo/camera-log.ts'

const START = Date.parse('2026-03-04T05:06:07.000Z')

function camera(maxBytes = 100_000) {
  const dir = mkdtempSync(path.join(tmpdir(), 'camera-log-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const file = path.join(dir, 'camera.log')
  let now = START
  const log = new CameraLog({ file, now: () => now, maxBytes })
  const lines = () => readFileSync(file, 'utf8').trimEnd().split('\n')
  return { log, file, lines, pass: (ms: number) => (now += ms) }
}

describe('the log of a camera', () => {
  it('tells of each picture in a way that its node reads', () => {
    const { log, lines } = camera()
    log.note({ kind: 'answered', ms: 8.04, bytes: 900 })
    log.note({ kind: 'answered', ms: 81, bytes: 900 })
    log.note({ kind: 'refused', ms: 2, bytes: 9, status: 422, why: 'no "PNG"' })
    log.note({ kind: 'unanswered', ms: 1, bytes: 9, why: 'connect ECONNREFUSED' })
    log.note({ kind: 'dropped', waiting: 4 })
    const at = { timestamp: START }
    expect(lines().map((line) => parseLine(line, 'logfmt', START))).toMatchObject([
      { ...at, level: 'debug', msg: 'picture answered', fields: { ms: 8, bytes: 900 } },
      { ...at, level: 'warn', msg: 'slow answer', fields: { ms: 81, limit_ms: 50 } },
      { ...at, level: 'error', msg: 'picture refused', fields: { status: 422, why: 'no "PNG"' } },
      { ...at, level: 'error', msg: 'no answer from the node', fields: { why: 'connect ECONNREFUSED' } },
      { ...at, level: 'warn', msg: 'picture dropped, the node lags', fields: { waiting: 4 } },
    ])
  })

  it('tells of what goes wrong again once a second, with how often', () => {
    const { log, lines, pass } = camera()
    for (let i = 0; i < 8; i += 1) {
      log.note({ kind: 'dropped', waiting: 4 })
      pass(200)
    }
    expect(lines().map((line) => line.split('waiting=4')[1])).toEqual(['', ' times=4'])
    pass(1000)
    log.note({ kind: 'answered', ms: 1, bytes: 1 })
    expect(lines().map((line) => line.split('waiting=4')[1])).toEqual(['', ' times=4', ' times=3', undefined])
  })

  it('sums up every 10 s', () => {
    const { log, lines, pass } = camera()
    for (let i = 0; i <= 20; i += 1) {
      log.note({ kind: 'answered', ms: i, bytes: 1 })
      pass(500)
    }
    const summaries = lines().filter((line) => line.includes('level=info'))
    expect(summaries).toEqual([
      'time=2026-03-04T05:06:17.000Z level=info msg="pictures answered" answered=21 slowest_ms=20 seconds=10',
    ])
  })

  it('puts its file aside when it is large, and counts what could not be written', () => {
    const { log, file, lines } = camera(150)
    for (let i = 0; i < 3; i += 1) log.note({ kind: 'answered', ms: i, bytes: 1 })
    expect(lines()).toHaveLength(1)
    expect(readFileSync(`${file}.1`, 'utf8').trimEnd().split('\n')).toHaveLength(2)

    const away = new CameraLog({ file: path.join(file, 'no-folder'), now: () => START })
    expect(() => away.pointed('http://a')).not.toThrow()
    expect(existsSync(path.join(file, 'no-folder'))).toBe(false)
  })
})
