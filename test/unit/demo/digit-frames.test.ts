import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { PNG } from 'pngjs'
import sharp from 'sharp'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FramePainter, loadDigits, unreadablePicture } from '../../../src/demo/digit-frames.ts'
import { FramePool } from '../../../src/demo/frame-pool.ts'
import { samplesDir } from '../../../src/demo/places.ts'

const SIDE = 28

/** Numbers in [0, 1) that are the same in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** The frame averaged back to 28×28. */
function averaged(frame: Buffer): number[] {
  const { width, height, data } = PNG.sync.read(frame)
  const sums = new Array<number>(SIDE * SIDE).fill(0)
  const counts = new Array<number>(SIDE * SIDE).fill(0)
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const cell = Math.floor((y * SIDE) / height) * SIDE + Math.floor((x * SIDE) / width)
      sums[cell] = (sums[cell] as number) + (data[(y * width + x) * 4] as number)
      counts[cell] = (counts[cell] as number) + 1
    }
  }
  return sums.map((sum, i) => sum / (counts[i] as number))
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [meanA, meanB] = [mean(a), mean(b)]
  let both = 0
  let onlyA = 0
  let onlyB = 0
  a.forEach((value, i) => {
    const other = (b[i] as number) - meanB
    both += (value - meanA) * other
    onlyA += (value - meanA) ** 2
    onlyB += other ** 2
  })
  return both / Math.sqrt(onlyA * onlyB)
}

describe('camera frames', () => {
  const digits = loadDigits(samplesDir())

  it('come from real digits of every class', () => {
    expect(new Set(digits.map((digit) => digit.label)).size).toBe(10)
  })

  it('are 640×480 PNG files of 70 to 120 KB', async () => {
    for (const digit of digits.filter((_, i) => i % 5 === 0)) {
      const frame = new FramePainter([digit], seeded(digit.label)).plain()
      expect(frame.length).toBeGreaterThanOrEqual(70_000)
      expect(frame.length).toBeLessThanOrEqual(120_000)
      const { format, width, height } = await sharp(frame).metadata()
      expect({ format, width, height }).toEqual({ format: 'png', width: 640, height: 480 })
    }
  })

  it('are still the digit when they are averaged back to 28×28', () => {
    for (const digit of digits.filter((_, i) => i % 10 === 0)) {
      const frame = new FramePainter([digit], seeded(7)).plain()
      expect(correlation(averaged(frame), [...digit.pixels])).toBeGreaterThan(0.98)
    }
  })

  it('differ from each other, as a sensor makes them', () => {
    const painter = new FramePainter(digits.slice(0, 1), seeded(3))
    expect(painter.plain().equals(painter.plain())).toBe(false)
  })

  it('of a broken camera are not pictures to any decoder', async () => {
    const broken = unreadablePicture(new FramePainter(digits, seeded(5)).plain(), seeded(6))
    expect(broken.length).toBeGreaterThan(60_000)
    expect(() => PNG.sync.read(broken)).toThrow()
    await expect(sharp(broken).raw().toBuffer()).rejects.toThrow()
  })

  it('need a folder that holds digits', () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'edgedeck-test-'))
    onTestFinished(() => rmSync(dir, { recursive: true }))
    writeFileSync(path.join(dir, 'readme.png'), '')
    expect(() => loadDigits(dir)).toThrow(/no digits in/)
    expect(() => loadDigits(path.join(dir, 'missing'))).toThrow(/no digits in/)
  })
})

describe('the frame pool', () => {
  it('has a frame as soon as it starts, and none before', () => {
    const pool = new FramePool(new FramePainter(loadDigits(samplesDir()), seeded(1)), seeded(2))
    onTestFinished(() => pool.stop())
    expect(pool.next()).toBeNull()
    expect(pool.nextUnreadable()).toBeNull()
    pool.start()
    expect(pool.next()).not.toBeNull()
    expect(pool.nextUnreadable()).not.toBeNull()
  })
})
