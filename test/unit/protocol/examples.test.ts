import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import * as audit from '../../../protocol/audit.ts'
import { decodeClientFrame, decodeDaemonFrame } from '../../../protocol/frames.ts'
import { heartbeatSchema } from '../../../protocol/presence.ts'
import * as records from '../../../protocol/records.ts'

/** Examples of a file with the name of what they stand above. */
function examplesOf(file: string): [name: string, json: string][] {
  const code = readFileSync(new URL(`../../../protocol/${file}`, import.meta.url), 'utf8')
  const found = code.matchAll(/@example (\{.*\})\s*\*\/\s*(?:export )?const (\w+)/g)
  return [...found].map((match) => [match[2] as string, match[1] as string])
}

const frames = examplesOf('frames.ts')
const CLIENT = [
  'hello',
  'subscribe',
  'tally',
  'credit',
  'pace',
  'unsubscribe',
  'read',
  'fetch',
  'command',
  'ping',
  'pong',
]
const DAEMON = [
  'welcome',
  'status',
  'rows',
  'gap',
  'end',
  'progress',
  'tallied',
  'picture',
  'done',
  'error',
  'ping',
  'pong',
]

test('every frame has an example', () => {
  expect(frames.map(([name]) => name).toSorted()).toEqual([...new Set([...CLIENT, ...DAEMON])].toSorted())
})

test.each(frames)('the example of %s is a frame', (name, json) => {
  if (CLIENT.includes(name)) expect(decodeClientFrame(json)).toMatchObject({ ok: true, frame: { t: name } })
  if (DAEMON.includes(name)) expect(decodeDaemonFrame(json)).toMatchObject({ ok: true, frame: { t: name } })
})

test.each(examplesOf('records.ts'))('the example of %s is a record', (name, json) => {
  const schema = (records as unknown as Record<string, z.ZodType>)[name] as z.ZodType
  expect(schema.parse(JSON.parse(json))).toEqual(JSON.parse(json))
})

test('every record has an example', () => {
  expect(examplesOf('records.ts').map(([name]) => name)).toEqual([
    'resultRecordSchema',
    'statRecordSchema',
    'alertRecordSchema',
    'logRecordSchema',
    'ledgerRecordSchema',
    'inputRecordSchema',
    'metricRecordSchema',
  ])
})

test.each(examplesOf('audit.ts'))('the example of %s is a record', (name, json) => {
  const schemas = { auditRecord: audit.auditRecordSchema, operatorAudit: audit.operatorAuditSchema }
  expect(schemas[name as keyof typeof schemas].parse(JSON.parse(json))).toEqual(JSON.parse(json))
})

test('the example of a heartbeat is one, and costs no more than it may', () => {
  const [[, json = ''] = []] = examplesOf('presence.ts')
  expect(heartbeatSchema.parse(JSON.parse(json))).toEqual(JSON.parse(json))
  expect(json.length).toBeLessThan(300)
})
