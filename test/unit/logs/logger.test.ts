import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type LogBody, Logger, type LoggerOptions } from '../../../edge-daemon/logs/logger.ts'
import { logRecordSchema } from '../../../protocol/records.ts'

let dir: string
let nowMs = 0
const started: Logger[] = []

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'edgedeck-log-'))
  nowMs = 0
})

afterEach(() => {
  for (const logger of started.splice(0)) logger.stop()
  rmSync(dir, { recursive: true, force: true })
})

function start(options: Partial<LoggerOptions> = {}): Logger {
  const clock = { wallMs: () => 1_793_000_000_000, monotonicMs: () => nowMs }
  const logger = new Logger({ level: 'info', dir, maxBytes: 10_000, files: 2, stream: null, clock, ...options })
  logger.start()
  started.push(logger)
  return logger
}

function linesOf(name = 'edge-daemon.log'): LogBody[] {
  const text = readFileSync(join(dir, name), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as LogBody)
}

test('writes one JSON record a line, to file, stream and sink alike, from its level up', () => {
  const kept: LogBody[] = []
  const stream = new PassThrough()
  const logger = start({ level: 'warn', stream, sink: (record) => kept.push(record) })
  logger.info('start')
  logger.warn('uplink.lost', 'uplink lost\nsecond line', { target: 'nats', tries: 3, last: null })
  logger.error('store.refused')
  expect(linesOf()).toEqual(kept)
  expect(String(stream.read())).toBe(readFileSync(join(dir, 'edge-daemon.log'), 'utf8'))
  expect(kept).toMatchObject([
    {
      timestamp: 1_793_000_000_000,
      level: 'warn',
      source: 'edge-daemon',
      msg: 'uplink lost\nsecond line',
      fields: { event: 'uplink.lost', target: 'nats', tries: 3, last: null },
    },
    { level: 'error', msg: 'store.refused', fields: { event: 'store.refused' } },
  ])
  for (const record of kept) logRecordSchema.parse({ seq: 1, node_id: 'n1', ...record })
})

test('rotates by size and keeps so many files and no more', () => {
  const logger = start()
  for (let i = 0; i < 400; i += 1) {
    nowMs += 200
    logger.info(`line.${i}`, 'x'.repeat(100))
  }
  expect(readdirSync(dir).sort()).toEqual(['edge-daemon.log', 'edge-daemon.log.1', 'edge-daemon.log.2'])
  for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).size).toBeLessThanOrEqual(10_000)
  const events = ['.2', '.1', ''].flatMap((end) => linesOf(`edge-daemon.log${end}`).map(({ fields }) => fields?.event))
  expect(events).toEqual(Array.from({ length: events.length }, (_, index) => `line.${400 - events.length + index}`))
})

test('goes on with the file of the last run, and rotates one that is too large already', () => {
  writeFileSync(join(dir, 'edge-daemon.log'), '{"old":1}\n')
  start().info('next')
  expect(linesOf().length).toBe(2)
  writeFileSync(join(dir, 'edge-daemon.log'), 'y'.repeat(20_000))
  start().info('after')
  expect(statSync(join(dir, 'edge-daemon.log.1')).size).toBe(20_000)
  expect(linesOf()).toMatchObject([{ msg: 'after' }])
})

test('goes on without its file, counts what is lost, and tells it once the file works again', () => {
  const blocked = join(dir, 'logs')
  writeFileSync(blocked, 'a file where the folder should be')
  const stream = new PassThrough()
  const logger = start({ dir: blocked, stream })
  logger.info('one')
  logger.info('two')
  expect(logger.droppedLines).toBe(2)
  expect(String(stream.read()).split('\n').length).toBe(3)
  rmSync(blocked)
  logger.info('three')
  const messages = linesOf('logs/edge-daemon.log').map(({ msg }) => msg)
  expect(messages).toEqual(['three', 'the log file refused 2 lines and works again'])
})

test('counts what a full disk refuses, and tells it once there is room', () => {
  symlinkSync('/dev/full', join(dir, 'edge-daemon.log'))
  const logger = start()
  for (let i = 0; i < 3; i += 1) logger.info(`line.${i}`)
  expect(logger.droppedLines).toBe(3)
  rmSync(join(dir, 'edge-daemon.log'))
  logger.info('after')
  expect(linesOf().map(({ msg }) => msg)).toEqual(['after', 'the log file refused 3 lines and works again'])
})

test('a process goes on when the reader of its output leaves', async () => {
  const module = join(import.meta.dirname, '../../../edge-daemon/logs/logger.ts')
  const program = `
    import { Logger } from ${JSON.stringify(module)}
    const options = { level: 'info', dir: process.argv[1], maxBytes: 1e6, files: 1, stream: process.stdout }
    const logger = new Logger(options)
    logger.start()
    let n = 0
    setInterval(() => logger.info('tick.' + n++), 10)
    process.stdin.on('end', () => { logger.info('done'); process.exit(0) }).resume()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, dir], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.stdout.destroy()
  await expect.poll(() => linesOf().some(({ fields }) => fields?.event === 'log.stream_closed')).toBe(true)
  const count = linesOf().length
  await expect.poll(() => linesOf().length).toBeGreaterThan(count + 5)
  child.stdin.end()
  expect(await exited).toBe(0)
  expect(linesOf().at(-1)).toMatchObject({ msg: 'done' })
})

test('keeps logging to its file when nobody reads the stream any more', async () => {
  const stream = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
  })
  const logger = start({ stream })
  logger.info('one')
  await new Promise((resolve) => stream.once('close', resolve))
  logger.info('two')
  expect(linesOf().map(({ msg }) => msg)).toEqual(['one', 'nobody reads the output any more (EPIPE)', 'two'])
})

test('does not ask the store to keep what the store says while it keeps a line', async () => {
  const kept: string[] = []
  const logger: Logger = start({
    sink: (record) => {
      kept.push(record.msg)
      logger.error('store.failing', 'at once')
      void Promise.resolve().then(() => logger.error('store.failing', 'later'))
      throw new Error('no')
    },
  })
  logger.info('start')
  await new Promise((resolve) => setImmediate(resolve))
  expect(kept).toEqual(['start'])
  expect(linesOf().map(({ msg }) => msg)).toEqual(['start', 'at once', 'later'])
})

test('folds more than ten lines a second of one event into a count, but none of another', () => {
  const logger = start()
  for (let i = 0; i < 500; i += 1) logger.error('uplink.lost', `try ${i}`)
  logger.error('disk.full')
  expect(linesOf().length).toBe(11)
  nowMs = 1001
  logger.error('uplink.lost', 'again')
  expect(linesOf().slice(11)).toMatchObject([
    { level: 'error', fields: { event: 'uplink.lost', folded: 490 } },
    { msg: 'again' },
  ])
})

test('tells what it folded when it stops', () => {
  const logger = start()
  for (let i = 0; i < 15; i += 1) logger.warn('noise')
  logger.stop()
  expect(linesOf().at(-1)).toMatchObject({ level: 'warn', fields: { event: 'noise', folded: 5 } })
})

test('keeps secrets and endless lines out', () => {
  const logger = start()
  logger.info('connect', 'to nats://user:hunter2@cloud:4222', {
    password: 'hunter2',
    natsToken: 'hunter2',
    url: 'https://me:hunter2@cloud/in',
  })
  logger.info('long', 'x'.repeat(100_000), { field: 'y'.repeat(100_000), ratio: Number.NaN })
  const text = readFileSync(join(dir, 'edge-daemon.log'), 'utf8')
  expect(text).not.toContain('hunter2')
  expect(text).toContain('nats://cloud:4222')
  expect(text.length).toBeLessThan(6000)
  expect(linesOf()[1]?.fields?.ratio).toBeNull()
})
