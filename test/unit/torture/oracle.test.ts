import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { decodeMessage, type HeldMessage } from '../../torture/block-decoder.ts'
import type { Ack, CloudBlock, CloudCopy, Evidence, NodeCopy, ViolationRule } from '../../torture/evidence.ts'
import { judge } from '../../torture/oracle.ts'

const EPOCH = 'e'.repeat(32)
const OTHER = 'f'.repeat(32)

/** A message as a node would publish it. */
function message(kind: string, bodies: readonly object[], headers: Record<string, string> = {}): HeldMessage {
  const plain = Buffer.from(bodies.map((body) => `${JSON.stringify({ node_id: 'n1', ...body })}\n`).join(''))
  const seqs = bodies.map((body) => (body as { seq: number }).seq)
  const all: Record<string, string> = {
    'Edge-Epoch': EPOCH,
    'Edge-First-Seq': String(seqs[0]),
    'Edge-Last-Seq': String(seqs.at(-1)),
    'Edge-Digest': createHash('sha256').update(plain).digest('hex'),
    'Content-Encoding': 'gzip',
    ...headers,
  }
  return { position: 1, subject: `edge.plant.n1.${kind}`, header: (name) => all[name] ?? '', data: gzipSync(plain) }
}

/** Blocks in the order they were held, chained as a node chains them. */
function chained(...messages: HeldMessage[]): CloudBlock[] {
  const last = new Map<string, string>()
  return messages.map((held, index) => {
    const before = last.get(`${held.subject} ${held.header('Edge-Epoch')}`)
    const decoded = decodeMessage({
      ...held,
      position: index + 1,
      header: (name) => (name === 'Edge-Prev-Digest' && before !== undefined ? before : held.header(name)),
    })
    if (decoded.what !== 'block') throw new Error(JSON.stringify(decoded))
    last.set(`${held.subject} ${held.header('Edge-Epoch')}`, decoded.block.digest)
    return decoded.block
  })
}

function result(
  seq: number,
  code = 422,
): { seq: number; timestamp: number; code: number; pred: number | null; bytes: number } {
  return { seq, timestamp: 1000 + seq, code, pred: code === 200 ? 4 : null, bytes: 100 + seq }
}

function ack(seq: number, code = 422, epoch = EPOCH): Ack {
  const { timestamp, pred, bytes } = result(seq, code)
  return { home: 'h1', node: 'n1', epoch, seq, code, pred, timestamp, bytes }
}

function stat(seq: number, first: number, last: number, count: number): object {
  return { seq, timestamp: 2000, first_seq: first, last_seq: last, count }
}

/** Sequences 1–4: abnormal 1 and 3, normal 2 and 4; two statistics; one more abnormal result 7. */
const ACKS = [ack(1), ack(2, 200), ack(3), ack(4, 200), ack(7)]
const RESULTS = [message('results', [result(1)]), message('results', [result(3), result(7)])]
const STATS = [message('stats', [stat(5, 1, 2, 1), stat(6, 3, 4, 1)])]
const KEPT: NodeCopy = {
  home: 'h1',
  node: 'n1',
  results: [1, 3, 7]
    .map((seq): object => ({ ...result(seq), reason: 'undecodable' }))
    .concat([result(2, 200), result(4, 200)]) as NodeCopy['results'],
  ledger: [],
}

function cloud(blocks: readonly CloudBlock[], region = 'a'): CloudCopy {
  return { region, blocks, resent: [], marks: 0, foreign: 0, faults: [] }
}

function evidence(changes: Partial<Evidence> = {}): Evidence {
  return {
    acks: ACKS,
    unanswered: new Map(),
    clouds: [cloud(chained(...RESULTS, ...STATS))],
    nodes: [KEPT],
    licence: {},
    ...changes,
  }
}

function rules(changes: Partial<Evidence>): ViolationRule[] {
  return judge(evidence(changes)).violations.map(({ rule }) => rule)
}

describe('the oracle of the torture runs', () => {
  it('finds nothing where nothing is wrong, and says how much there was', () => {
    const { violations, figures } = judge(evidence())
    expect(violations).toEqual([])
    expect(figures).toMatchObject({ acks: 5, abnormal: 3, normal: 2, blocks: 3, statistics: 2, missing: 0, twice: 0 })
  })

  it('finds an abnormal result that the cloud does not hold', () => {
    expect(rules({ acks: [...ACKS, ack(9)] })).toEqual(['missing'])
  })

  it('finds a normal result that its node does not hold', () => {
    const results = KEPT.results.filter(({ seq }) => seq !== 2)
    expect(rules({ nodes: [{ ...KEPT, results }] })).toEqual(['missing', 'statistic'])
  })

  it('finds a normal result that no statistic counts, or that two count', () => {
    expect(rules({ acks: [...ACKS, ack(8, 200)], nodes: [] })).toEqual(['statistic'])
    const doubled = message('stats', [stat(5, 1, 2, 1), stat(6, 2, 4, 2)])
    expect(rules({ clouds: [cloud(chained(...RESULTS, doubled))], nodes: [] })).toEqual(['statistic', 'statistic'])
  })

  it('finds a hole between statistics, and a count that is not that of the node', () => {
    const hole = message('stats', [stat(5, 1, 2, 1), stat(6, 4, 4, 1)])
    expect(rules({ clouds: [cloud(chained(...RESULTS, hole))] })).toEqual(['statistic'])
    const miscount = message('stats', [stat(5, 1, 2, 2), stat(6, 3, 4, 1)])
    expect(rules({ clouds: [cloud(chained(...RESULTS, miscount))] })).toEqual(['statistic'])
  })

  it('finds a record that lies twice, and lets a flagged one be merged away', () => {
    const again = message('results', [result(7)])
    expect(rules({ clouds: [cloud(chained(...RESULTS, again, ...STATS))] })).toEqual(['order', 'twice'])
    const flagged = message('results', [result(7)], { 'Edge-Maybe-Duplicate': '1' })
    const { violations, figures } = judge(evidence({ clouds: [cloud(chained(...RESULTS, flagged, ...STATS))] }))
    expect(violations).toEqual([])
    expect(figures.mergedAway).toBe(1)
  })

  it('does not let a flag excuse a record that differs from the one that is held', () => {
    const flagged = message('results', [{ ...result(7), bytes: 1 }], { 'Edge-Maybe-Duplicate': '1' })
    expect(rules({ clouds: [cloud(chained(...RESULTS, flagged, ...STATS))] })).toEqual(['twice'])
  })

  it('finds blocks and records in the wrong order', () => {
    const [first, second] = RESULTS as [HeldMessage, HeldMessage]
    expect(rules({ clouds: [cloud(chained(second, first, ...STATS))] })).toEqual(['order'])
    const reversed = message('results', [result(7), result(3)])
    expect(rules({ clouds: [cloud(chained(first, reversed, ...STATS))] })).toEqual(['order'])
  })

  it('finds a block that does not name the one before', () => {
    const [first, second] = RESULTS.map((held) => chained(held)[0]) as [CloudBlock, CloudBlock]
    const blocks = [first, second, ...chained(...STATS)]
    expect(rules({ clouds: [cloud(blocks)] })).toEqual(['chain'])
  })

  it('finds a record that is not what was acknowledged, in the cloud, on the node and between regions', () => {
    const swapped = [message('results', [{ ...result(1), bytes: 1 }]), RESULTS[1] as HeldMessage]
    expect(rules({ clouds: [cloud(chained(...swapped, ...STATS))] })).toEqual(['altered'])
    const results = KEPT.results.map((body) => (body.seq === 4 ? { ...body, pred: 9 } : body))
    expect(rules({ nodes: [{ ...KEPT, results }] })).toEqual(['altered'])
    const regions = [cloud(chained(...RESULTS, ...STATS)), cloud(chained(...swapped, ...STATS), 'b')]
    expect(rules({ clouds: regions })).toEqual(['altered'])
  })

  it('merges regions that hold a part each, unless each must hold everything', () => {
    const [first, second] = RESULTS as [HeldMessage, HeldMessage]
    const clouds = [cloud(chained(first, ...STATS)), cloud(chained(second), 'b')]
    expect(rules({ clouds })).toEqual([])
    expect(rules({ clouds, licence: { eachRegion: true } })).toEqual(['missing', 'missing', 'missing'])
  })

  it('finds a sequence that two results were given, and results that nobody sent', () => {
    expect(rules({ acks: [...ACKS, ack(1)] })).toEqual(['reused'])
    const acks = ACKS.filter(({ seq }) => seq !== 7)
    expect(rules({ acks })).toEqual(['invented'])
    expect(rules({ acks, unanswered: new Map([['n1', 1]]) })).toEqual([])
  })

  it('finds a forked record under its new epoch, and twice when it came under both', () => {
    const forked = message('results', [result(7)], { 'Edge-Epoch': OTHER, 'Edge-Origin-Epoch': EPOCH })
    const without = [RESULTS[0] as HeldMessage, message('results', [result(3)])]
    expect(rules({ clouds: [cloud(chained(...without, forked, ...STATS))] })).toEqual([])
    expect(rules({ clouds: [cloud(chained(...RESULTS, forked, ...STATS))] })).toEqual(['twice'])
  })

  it('excuses what the ledger accounts for only where the scenario says so', () => {
    const evicted = { seq: 8, timestamp: 1, event: 'evicted', first_seq: 2, last_seq: 2 }
    const nodes = [{ ...KEPT, results: KEPT.results.filter(({ seq }) => seq !== 2), ledger: [evicted] }]
    const clouds = [cloud(chained(...RESULTS, ...STATS, message('ledger', [evicted])))]
    expect(rules({ nodes, clouds })).toEqual(['missing', 'statistic'])
    const { violations, figures } = judge(evidence({ nodes, clouds, licence: { excuses: ['evicted'] } }))
    expect(violations).toEqual([])
    expect(figures).toMatchObject({ excused: 1, ledger: { evicted: 1 } })
  })

  it('excuses a statistic that counts what the ledger accounts for, and none that counts less than is kept', () => {
    const evicted = { seq: 8, timestamp: 1, event: 'evicted', first_seq: 2, last_seq: 2 }
    const nodes = [{ ...KEPT, results: KEPT.results.filter(({ seq }) => seq !== 2), ledger: [evicted] }]
    const judged = (count: number): ViolationRule[] => {
      const wide = message('stats', [stat(6, 1, 4, count)])
      const clouds = [cloud(chained(...RESULTS, wide, message('ledger', [evicted])))]
      return rules({ nodes, clouds, licence: { excuses: ['evicted'] } })
    }
    expect(judged(2)).toEqual([])
    expect(judged(0)).toEqual(['statistic'])
  })

  it('excuses a statistic that was folded again because the log lost its end, and no other', () => {
    const lost = { seq: 10, timestamp: 1, event: 'lost_tail', first_seq: 5, last_seq: 6 }
    const again = message('stats', [stat(5, 1, 4, 2), { ...stat(9, 1, 2, 1), epoch: EPOCH }])
    const clouds = [cloud(chained(...RESULTS, again, message('ledger', [lost])))]
    const nodes = [{ ...KEPT, ledger: [lost] }]
    expect(rules({ clouds, nodes })).toEqual(['statistic', 'statistic'])
    expect(rules({ clouds, nodes, licence: { excuses: ['lost_tail'] } })).toEqual([])
  })

  it('finds a ledger record that did not go up', () => {
    const noted = { seq: 8, timestamp: 1, event: 'corrupt', first_seq: null, last_seq: null }
    expect(rules({ nodes: [{ ...KEPT, ledger: [noted] }] })).toEqual(['missing'])
  })
})

describe('the decoder of the torture runs', () => {
  it('tells blocks, resent blocks, marks and foreign messages apart', () => {
    const block = message('results', [result(1)])
    expect(decodeMessage(block).what).toBe('block')
    expect(decodeMessage({ ...block, subject: 'edge.plant.n1.resend.abnormal' }).what).toBe('resent')
    expect(decodeMessage({ ...block, subject: `edge.plant.n1.mark.abnormal.${EPOCH}` }).what).toBe('mark')
    expect(decodeMessage({ ...block, header: () => '' }).what).toBe('foreign')
  })

  it('finds a body that is not what its headers say', () => {
    const block = message('results', [result(1)])
    const other = message('results', [result(2)])
    const fault = (changes: Partial<HeldMessage>): string => JSON.stringify(decodeMessage({ ...block, ...changes }))
    expect(fault({ data: other.data })).toContain('digest')
    expect(fault({ data: Buffer.from('torn') })).toContain('fault')
    expect(fault({ subject: 'edge.plant.n2.results' })).toContain('a record of n1')
    expect(decodeMessage(message('results', [result(1)], { 'Edge-Last-Seq': '2' })).what).toBe('fault')
  })
})
