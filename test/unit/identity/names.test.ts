import { describe, expect, it } from 'vitest'
import { type Named, readUri, uriOf } from '../../../identity/names.ts'

const NAMED: readonly Named[] = [
  { kind: 'node', fleet: 'acme', site: 'plant-a', node: 'press-4' },
  { kind: 'node', fleet: 'acme', site: '工厂/一', node: 'n.1 *+,?' },
  { kind: 'controller', fleet: 'acme', name: 'eu' },
  { kind: 'service', fleet: 'acme', name: 'nats-1' },
  {
    kind: 'operator',
    fleet: 'acme',
    name: 'mia',
    rights: { role: 'admin', permissions: ['data', 'shell'], sites: '*' },
  },
  {
    kind: 'operator',
    fleet: 'acme',
    name: 'bo',
    rights: { role: 'viewer', permissions: [], sites: ['*', 'a+b', 'c'] },
  },
  { kind: 'operator', fleet: 'acme', name: 'no', rights: { role: 'operator', permissions: ['shell'], sites: [] } },
]

describe('names in certificates', () => {
  it.each(NAMED)('are read back as they were written: %j', (named) => {
    const uri = uriOf(named)
    expect(readUri(uri)).toEqual(named)
    // What Node would quote in a subject alternative name cannot stand in one of ours.
    expect(uri).toMatch(/^[!-+\--~]+$/)
    expect(uri).not.toMatch(/[",\\]/)
  })

  it.each([
    'edgedeck://acme/node/plant-a',
    'edgedeck://acme/node/plant-a/press-4/',
    'edgedeck://acme/node/plant-a/%70ress-4',
    'edgedeck://acme/node//press-4',
    'edgedeck://ACME/node/plant-a/press-4',
    'edgedeck://acme/node/plant-a/press-4?role=admin&permissions=&sites=*',
    'edgedeck://acme/operator/mia',
    'edgedeck://acme/operator/mia?role=root&permissions=&sites=*',
    'edgedeck://acme/operator/mia?role=admin&permissions=shell+data&sites=*',
    'edgedeck://acme/operator/mia?role=admin&permissions=&sites=*&role=viewer',
    'edgedeck://acme/operator/mia?role=admin&permissions=&sites=%zz',
    'https://acme/node/plant-a/press-4',
    `edgedeck://acme/node/a/${'n'.repeat(254)}`,
  ])('have one spelling: %s is none', (uri) => {
    expect(readUri(uri)).toBeNull()
  })
})
