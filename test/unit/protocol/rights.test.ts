import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../../protocol/canonical-json.ts'
import { missingRight, type Rights, VERBS } from '../../../protocol/rights.ts'

const viewer: Rights = { role: 'viewer', permissions: [], sites: ['plant-a'] }

describe('rights', () => {
  it('names the first right that is missing: site, then role, then permission', () => {
    expect(missingRight(viewer, VERBS.resend, 'plant-b')).toBe('the site plant-b')
    expect(missingRight(viewer, VERBS.resend, 'plant-a')).toBe('the role operator')
    const fetching = { role: 'viewer', permission: 'data', changes: false } as const
    expect(missingRight(viewer, fetching, 'plant-a')).toBe('the permission data')
    expect(missingRight({ ...viewer, permissions: ['data'] }, fetching, 'plant-a')).toBeNull()
  })

  it('lets a higher role do what a lower one may, and no site is every site only when it says so', () => {
    expect(missingRight({ role: 'admin', permissions: [], sites: '*' }, VERBS.resend, 'anywhere')).toBeNull()
    expect(missingRight({ role: 'admin', permissions: [], sites: [] }, VERBS.resend, 'anywhere')).toBe(
      'the site anywhere',
    )
  })
})

describe('canonical JSON', () => {
  it('is one text for one value', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'ü"' }], a: 1e21 })).toBe('{"a":1e+21,"b":[1,{"c":"ü\\"","d":null}]}')
    expect(() => canonicalJson([Number.NaN])).toThrow(RangeError)
  })
})
