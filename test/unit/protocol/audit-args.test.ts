import { expect, it } from 'vitest'
import { MAX_AUDIT_ARGS_CHARS } from '../../../protocol/audit.ts'
import { auditArgs } from '../../../protocol/audit-args.ts'

it('repeats arguments without what is called a secret', () => {
  const args = {
    requestId: 'r1',
    password: 'x',
    apiKey: 'y',
    nested: { token: 't', ms: 3, monkey: 'm', keys: [1] },
    key: 'z',
  }
  expect(auditArgs(args)).toEqual({
    requestId: 'r1',
    password: '…',
    apiKey: '…',
    nested: { token: '…', ms: 3, monkey: 'm', keys: [1] },
    key: '…',
  })
})

it('cuts what is long, wide or deep', () => {
  const told = auditArgs({ text: 'x'.repeat(1000), list: Array.from({ length: 50 }, (_, n) => n), deep: [[[[[1]]]]] })
  expect(String(told.text)).toHaveLength(201)
  expect(told.list).toHaveLength(21)
  expect(JSON.stringify(told.deep)).toBe('[[["…"]]]')
  const wide = Object.fromEntries(Array.from({ length: 15 }, (_, n) => [`a${n}`, 'x'.repeat(190)]))
  expect(JSON.stringify(auditArgs(wide)).length).toBeLessThan(MAX_AUDIT_ARGS_CHARS)
})
