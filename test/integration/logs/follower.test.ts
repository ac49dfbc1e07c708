import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { movedOn, readCheckpoint } from '../../../edge-daemon/logs/follow/checkpoint.ts'
import type { Batch } from '../../../edge-daemon/logs/follow/collector.ts'
import { Follower } from '../../../edge-daemon/logs/follow/follower.ts'
import { unpacked } from '../../../edge-daemon/store/packed-records.ts'
import { followSettings } from '../../support/follow-settings.ts'

const STEP_MS = 250

/** A follower on a clock of its own, and a store that keeps all at once. */
class Following {
  readonly messages: string[] = []
  readonly notices: string[] = []
  readonly #follower: Follower
  #nowMs = 0
  #seq = 0

  constructor(dir: string, path: string) {
    const checkpointFile = join(dir, 'checkpoint.json')
    const read = readCheckpoint(checkpointFile)
    const unanswered: Batch[] = []
    this.#follower = new Follower(
      {
        settings: followSettings(path, 'plain'),
        checkpointFile,
        checkpoint: read.state === 'found' ? movedOn(read.checkpoint, []) : null,
        settleMs: 0,
      },
      {
        send: (batch) => void unanswered.push(batch),
        notice: ({ msg }) => void this.notices.push(msg),
        clock: { wallMs: () => 1_793_000_000_000 + this.#nowMs, monotonicMs: () => this.#nowMs },
      },
    )
    this.#follower.begin()
    this.#answer = () => {
      for (const { number, records } of unanswered.splice(0)) {
        const kept = unpacked(records)
        for (const { bodyJson } of kept) this.messages.push((JSON.parse(bodyJson) as { msg: string }).msg)
        this.#seq += kept.length
        this.#follower.kept(number, this.#seq)
      }
    }
  }

  readonly #answer: () => void

  /** Let so much time pass. */
  pass(seconds: number): void {
    for (const endMs = this.#nowMs + seconds * 1000; this.#nowMs < endMs; this.#nowMs += STEP_MS) {
      for (let isMore = true; isMore; this.#answer()) isMore = this.#follower.work() === 0
    }
  }

  end(): void {
    this.#follower.end()
  }
}

function withFolder(act: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-follower-'))
  try {
    act(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

test('a file that is renamed to where another pattern finds it is read on and not again, also over a restart', () => {
  withFolder((dir) => {
    for (const folder of ['live', 'old']) mkdirSync(join(dir, folder))
    const [path, moved] = [join(dir, 'live', 'app.log'), join(dir, 'old', 'app.log')]
    const pattern = join(dir, '{live,old}', '*.log')
    writeFileSync(path, 'one\n')
    const first = new Following(dir, pattern)
    first.pass(1)
    appendFileSync(path, 'two\n')
    renameSync(path, moved)
    first.pass(3)
    writeFileSync(path, 'new\n')
    // Longer than a rotated file is held open.
    first.pass(30)
    appendFileSync(moved, 'three\n')
    first.pass(5)
    first.end()
    expect(first.messages).toEqual(['one', 'two', 'new', 'three'])
    renameSync(path, join(dir, 'old', 'second.log'))
    appendFileSync(join(dir, 'old', 'second.log'), 'four\n')
    const second = new Following(dir, pattern)
    second.pass(30)
    second.end()
    expect(second.messages).toEqual(['four'])
    expect([...first.notices, ...second.notices]).toEqual([])
  })
})

test('a file that was cut and grew beyond what was read is read from its begin, and nothing is called lost that was not there', () => {
  withFolder((dir) => {
    const path = join(dir, 'app.log')
    writeFileSync(path, 'one\n')
    const following = new Following(dir, path)
    following.pass(1)
    truncateSync(path, 0)
    appendFileSync(path, 'a longer line than the first\ntwo\n')
    following.pass(3)
    following.end()
    expect(following.messages).toEqual(['one', 'a longer line than the first', 'two'])
    expect(following.notices).toEqual([])
  })
})
