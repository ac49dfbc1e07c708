import { expect, test } from 'vitest'
import {
  decodeToken,
  encodeToken,
  markSubjectOf,
  readBlockSubject,
  resendSubjectOf,
  streamSubjects,
  subjectOf,
  UPSTREAM_CLASSES,
} from '../../../protocol/subjects.ts'

test.each(['node-1', 'ip-10-0-0-1.ec2.internal', '车间 3', 'a*b>c', '=2E', 'x=y', '😀'])(
  'the name %j survives a subject',
  (name) => {
    const token = encodeToken(name)
    expect(token).toMatch(/^[A-Za-z0-9_=-]+$/)
    expect(decodeToken(token)).toBe(name)
  },
)

test('text that no name encodes to is refused', () => {
  for (const token of ['', 'a.b', '=2e', '=', '=41', '=FF', 'a b']) expect(decodeToken(token)).toBeNull()
})

test('a dot in a name does not make a second token', () => {
  expect(subjectOf({ site: 'plant-a', node: 'n.1' }, 'abnormal')).toBe('edge.plant-a.n=2E1.results')
  expect(subjectOf({ site: 'plant-a', node: 'n1' }, 'error')).toBe('edge.plant-a.n1.logs.error')
})

test('the subject of a block says whose it is, of which class, and whether it was sent again', () => {
  const origin = { site: 'plant a', node: 'n.1' }
  for (const recordClass of UPSTREAM_CLASSES) {
    expect(readBlockSubject(subjectOf(origin, recordClass))).toEqual({ ...origin, recordClass, resent: false })
    expect(readBlockSubject(resendSubjectOf(origin, recordClass))).toEqual({ ...origin, recordClass, resent: true })
  }
  const mark = markSubjectOf(origin, { recordClass: 'stat', epoch: 'ab' })
  for (const other of [mark, 'edge.s.n.status', 'edge.s.n.logs.warn', 'edge.s.n.resend.x', 'edge.s.=2e.results', 'x']) {
    expect(readBlockSubject(other)).toBeNull()
  }
})

test('a stream of blocks never captures requests, heartbeats or the audit', () => {
  const captures = (subject: string) =>
    streamSubjects().some((filter) =>
      new RegExp(`^${filter.replaceAll('.', '\\.').replaceAll('*', '[^.]+').replace('>', '.+')}$`).test(subject),
    )
  expect(captures('edge.plant-a.n1.results')).toBe(true)
  expect(captures(markSubjectOf({ site: 'plant-a', node: 'n.1' }, { recordClass: 'stat', epoch: 'ab' }))).toBe(true)
  for (const tail of ['rpc', 'rpc.x', 'status', 'audit']) expect(captures(`edge.plant-a.n1.${tail}`)).toBe(false)
  expect(streamSubjects('a b')[0]).toBe('edge.a=20b.*.results')
})
