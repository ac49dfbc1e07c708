import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import * as enrolment from '../../../protocol/enrolment.ts'
import { type JoinToken, joinTokenText, readJoinToken } from '../../../protocol/enrolment.ts'

const token: JoinToken = {
  u: 'https://controller.example:5444',
  f: 'acme',
  s: 'warehouse-东',
  n: 'press-4.local',
  k: 'A'.repeat(43),
  p: 'b'.repeat(43),
}

test('a join token is read as it was written, blanks of a copied line aside', () => {
  expect(readJoinToken(joinTokenText(token))).toEqual(token)
  expect(readJoinToken(` ${joinTokenText(token)}\n`)).toEqual(token)
})

test('a join token that was cut anywhere or carries anything else is none', () => {
  const text = joinTokenText(token)
  for (let length = 0; length < text.length; length += 1) expect(readJoinToken(text.slice(0, length))).toBeNull()
  const others: object[] = [
    { ...token, u: 'http://controller.example:5444' },
    { ...token, u: 'https://user:word@controller.example' },
    { ...token, u: 'https://controller.example/elsewhere' },
    { ...token, f: 'Acme' },
    { ...token, k: 'short' },
    { ...token, x: 1 },
    { ...token, n: '' },
  ]
  for (const other of others) expect(readJoinToken(joinTokenText(other as JoinToken))).toBeNull()
  expect(readJoinToken(`edj2.${text.slice(5)}`)).toBeNull()
  expect(readJoinToken(`edj1.${'A'.repeat(100_000)}`)).toBeNull()
})

test('every example of a request or answer is one', () => {
  const code = readFileSync(new URL('../../../protocol/enrolment.ts', import.meta.url), 'utf8')
  const examples = [...code.matchAll(/@example (\{.*\})\s*\*\/\s*export const (\w+)/g)]
  expect(examples.map(([, , name]) => name)).toEqual([
    'trustAnswerSchema',
    'joinRequestSchema',
    'renewRequestSchema',
    'loginRequestSchema',
    'enrolmentAnswerSchema',
    'timeAnswerSchema',
    'enrolmentErrorSchema',
  ])
  for (const [, json = '', name = ''] of examples) {
    const schema = (enrolment as unknown as Record<string, z.ZodType>)[name] as z.ZodType
    expect(schema.parse(JSON.parse(json))).toEqual(JSON.parse(json))
  }
})

test('the texts that are signed differ by purpose, fleet and every field', () => {
  const renewal = { certificate: 'c', csr: 'r' }
  const login = { name: 'mia', csr: 'r', at: 1, nonce: 'n' }
  const time = { v: 1, fleet: 'acme', nonce: 'n', at: 1, deny: 1, trust: 1 } as const
  const texts = [
    enrolment.renewText(renewal),
    enrolment.renewText({ ...renewal, natsKey: 'U' }),
    enrolment.renewText({ ...renewal, csr: 'q' }),
    enrolment.loginText(login, 'acme'),
    enrolment.loginText(login, 'other'),
    enrolment.loginText({ ...login, at: 2 }, 'acme'),
    enrolment.timeText(time),
    enrolment.timeText({ ...time, deny: 2 }),
  ]
  expect(new Set(texts).size).toBe(texts.length)
  expect(new Set(texts.map((text) => text.split('\n')[0])).size).toBe(3)
})
