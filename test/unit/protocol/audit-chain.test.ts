import { describe, expect, it } from 'vitest'
import { AUDIT_GENESIS, type AuditHead, checkChain, checkHeads, headOf, link } from '../../../protocol/audit-chain.ts'

function chainOf(count: number, from: AuditHead = AUDIT_GENESIS, say = (n: number): object => ({ verb: `v${n}` })) {
  let head = from
  const records: ReturnType<typeof link<object>>[] = []
  for (let n = 1; n <= count; n += 1) {
    const record = link(say(n), head)
    records.push(record)
    head = headOf(record)
  }
  return records
}

const kinds = (records: Parameters<typeof checkChain>[0]) =>
  checkChain(records).faults.map(({ kind, n, through }) =>
    through === undefined ? `${kind} ${n}` : `${kind} ${n}–${through}`,
  )

describe('the chain of an audit', () => {
  const whole = chainOf(6)
  const at = (n: number) => whole[n - 1] as (typeof whole)[number]

  it('finds nothing in a whole chain, also when its oldest records are gone, whatever order its keys are in', () => {
    expect(checkChain(whole)).toMatchObject({ first: { n: 1 }, head: headOf(at(6)), faults: [] })
    expect(checkChain(whole.slice(2))).toMatchObject({ first: { n: 3 }, faults: [] })
    const turned = whole.map((record) => Object.fromEntries(Object.entries(record).reverse()) as typeof record)
    expect(checkChain(turned).faults).toEqual([])
    expect(checkChain([])).toEqual({ first: null, head: null, faults: [] })
  })

  it('does not count the sequence, which is given later', () => {
    expect(checkChain(whole.map((record, n) => ({ ...record, seq: n * 7 }))).faults).toEqual([])
  })

  it('names a record whose text was changed', () => {
    expect(kinds(whole.map((record) => (record === at(3) ? { ...record, verb: 'other' } : record)))).toEqual([
      'altered 3',
    ])
  })

  it('names a record that was replaced by one with a sound hash of its own', () => {
    const replaced = link({ verb: 'other' }, headOf(at(2)))
    expect(kinds([...whole.slice(0, 2), replaced, ...whole.slice(3)])).toEqual(['altered 3'])
  })

  it('names what was taken from the middle', () => {
    expect(kinds(whole.filter((record) => record !== at(3) && record !== at(4)))).toEqual(['missing 3–4'])
  })

  it('names what stands in another order, and what is there twice', () => {
    expect(kinds([at(1), at(3), at(2), at(4)])).toEqual(['reordered 2'])
    expect(kinds([at(1), at(2), at(2), at(3)])).toEqual(['twice 2'])
  })

  it('names where two went on from one record, and a chain that was begun anew', () => {
    const other = chainOf(2, headOf(at(3)), (n) => ({ verb: `w${n}` }))
    expect(kinds([...whole, ...other])).toEqual(['forked 4'])
    expect(kinds([...whole, ...chainOf(2, AUDIT_GENESIS, (n) => ({ verb: `w${n}` }))])).toEqual(['begun_anew 1'])
  })

  it('names an end that is gone, and a record that others saw otherwise', () => {
    expect(checkHeads(whole.slice(0, 4), [headOf(at(6)), headOf(at(2))])).toEqual([
      { kind: 'truncated', n: 5, through: 6 },
    ])
    expect(checkHeads(whole, [headOf(at(6))])).toEqual([])
    const other = chainOf(6, AUDIT_GENESIS, (n) => ({ verb: n < 5 ? `v${n}` : 'x' }))
    expect(checkHeads(other, [headOf(at(5)), headOf(at(4))])).toEqual([{ kind: 'altered', n: 5 }])
    expect(checkHeads(whole.slice(3), [headOf(at(1))])).toEqual([])
  })

  it('notices whichever single record is changed, dropped or swapped, wherever it stands', () => {
    for (let n = 1; n <= 6; n += 1) {
      expect(
        checkChain(whole.map((record) => (record === at(n) ? { ...record, why: 'x' } : record))).faults,
      ).not.toEqual([])
      const left = whole.filter((record) => record !== at(n))
      expect([...checkChain(left).faults, ...checkHeads(left, [headOf(at(6))])].length, `${n}`).toBe(n === 1 ? 0 : 1)
    }
    expect(checkChain(whole.slice(1)).first?.n).toBe(2)
  })
})
