/**
 * Loaded into a daemon, its store worker and its children before anything else (`NODE_OPTIONS=--import`), to do to this
 * process alone what only root could do to a machine:
 *
 * - `TORTURE_CLOCK=FILE`: the wall clock is off by the number of ms in the file, which may change at any time; the
 *   monotonic clock goes on, as when an operator or NTP sets the clock.
 * - `TORTURE_CRASH=CALL:WHEN:COUNT`: SIGKILL to the whole process `before` or `after` the COUNT-th call of a function of
 *   `node:fs` that the store makes (only worker threads count).
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread } from 'node:worker_threads'

const REREAD_MS = 50

function shiftClock(file: string): void {
  const RealDate = Date
  const realNow = Date.now
  const monotonicMs = performance.now.bind(performance)
  const read = fs.readFileSync
  let shiftMs = 0
  let readAtMs = Number.NEGATIVE_INFINITY
  const now = (): number => {
    if (monotonicMs() - readAtMs > REREAD_MS) {
      readAtMs = monotonicMs()
      try {
        shiftMs = Number(read(file, 'utf8')) || 0
      } catch {
        // It is being written: the shift stays as it was.
      }
    }
    return realNow() + shiftMs
  }
  const Shifted: DateConstructor = new Proxy(RealDate, {
    construct: (target, args) => Reflect.construct(target, args.length === 0 ? [now()] : args),
    apply: () => new RealDate(now()).toString(),
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
  })
  globalThis.Date = Shifted
}

function crashAt(order: string): void {
  const [call = '', when = 'before', count = '1'] = order.split(':')
  const calls = fs as unknown as Record<string, (...args: unknown[]) => unknown>
  const real = calls[call]
  if (real === undefined) throw new Error(`TORTURE_CRASH: node:fs has no ${call}`)
  let left = Number(count)
  calls[call] = (...args) => {
    left -= 1
    if (left === 0 && when === 'before') process.kill(process.pid, 'SIGKILL')
    const result = real.apply(fs, args)
    if (left === 0 && when === 'after') process.kill(process.pid, 'SIGKILL')
    return result
  }
  syncBuiltinESMExports()
}

const { TORTURE_CLOCK: clock, TORTURE_CRASH: crash } = process.env
if (clock !== undefined) shiftClock(clock)
if (crash !== undefined && !isMainThread) crashAt(crash)
