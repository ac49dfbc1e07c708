import type { Ack, Evidence } from './evidence.ts'
import { type Excuse, type Findings, type Held, isAbnormal, keyOf } from './oracle.ts'

/** Judge where acknowledged results are: abnormal ones in the cloud, normal ones on their node. */
export function judgeResults(evidence: Evidence, held: readonly Held[], excuse: Excuse, findings: Findings): void {
  judgeAbnormal(evidence, held, excuse, findings)
  judgeNormal(evidence, excuse, findings)
  judgeLedger(evidence, held, findings)
  judgeInvented(evidence, held, findings)
}

/** Whether a record is the very result that was answered. */
export function isResultOf(body: Readonly<Record<string, unknown>>, ack: Ack): boolean {
  return (
    body.code === ack.code &&
    (body.pred ?? null) === ack.pred &&
    body.bytes === ack.bytes &&
    body.timestamp === ack.timestamp
  )
}

/** Records of the cloud's `results` by node, epoch and sequence; a forked disk's are found under both their epochs. */
function resultIndex(held: readonly Held[]): Map<string, Held[]> {
  const index = new Map<string, Held[]>()
  const enter = (key: string, record: Held): void => {
    const there = index.get(key)
    if (there === undefined) index.set(key, [record])
    else there.push(record)
  }
  for (const record of held) {
    const { node, kind, epoch, originEpoch } = record.block
    if (kind !== 'results') continue
    enter(keyOf(node, epoch, record.seq), record)
    if (originEpoch !== null && originEpoch !== epoch) enter(keyOf(node, originEpoch, record.seq), record)
  }
  return index
}

function judgeAbnormal(evidence: Evidence, held: readonly Held[], excuse: Excuse, findings: Findings): void {
  const { acks, clouds, licence } = evidence
  const index = resultIndex(held)
  const regions =
    licence.eachRegion === true ? clouds.map(({ region, blocks }) => ({ region, keys: keysOf(blocks) })) : []
  for (const ack of acks) {
    if (!isAbnormal(ack)) continue
    const { node, epoch, seq } = ack
    const candidates = index.get(keyOf(node, epoch, seq)) ?? []
    const matches = candidates.filter(({ body }) => isResultOf(body, ack))
    if (matches.length > 1) {
      findings.twice += 1
      findings.violations.push({ rule: 'twice', node, msg: `result ${seq} of ${epoch} came under two epochs` })
    }
    if (matches.length === 0) {
      if (candidates.length > 0 && licence.clones !== true) {
        const msg = `result ${seq} of ${epoch} is ${candidates[0]?.line}, acknowledged was ${JSON.stringify(ack)}`
        findings.violations.push({ rule: 'altered', node, msg })
      } else miss(findings, excuse, { node, seq, msg: `abnormal result ${seq} of ${epoch} is not in the cloud` })
    }
    for (const { region, keys } of regions) {
      if (matches.length > 0 && !keys.has(keyOf(node, epoch, seq))) {
        miss(findings, excuse, { node, seq, msg: `abnormal result ${seq} of ${epoch} is not in ${region}` })
      }
    }
  }
}

function keysOf(blocks: readonly Held['block'][]): Set<string> {
  return new Set(
    blocks.flatMap(({ node, epoch, kind, records }) =>
      kind === 'results' ? records.map(({ seq }) => keyOf(node, epoch, seq)) : [],
    ),
  )
}

function judgeNormal({ acks, nodes }: Evidence, excuse: Excuse, findings: Findings): void {
  const kept = new Map(
    nodes.map(({ home, results }) => [home, new Map(results.map((body) => [body.seq as number, body]))] as const),
  )
  for (const ack of acks) {
    const { home, node, epoch, seq } = ack
    const results = kept.get(home)
    if (results === undefined) continue
    const body = results.get(seq)
    if (body !== undefined && !isResultOf(body, ack)) {
      const msg = `on the node ${seq} of ${epoch} is ${JSON.stringify(body)}, acknowledged was ${JSON.stringify(ack)}`
      findings.violations.push({ rule: 'altered', node, msg })
    } else if (body === undefined && !isAbnormal(ack)) {
      miss(findings, excuse, { node, seq, msg: `normal result ${seq} of ${epoch} is not on its node` })
    }
  }
}

/** What a node notes of what it lost or dropped is of no use on the node alone. */
function judgeLedger({ nodes }: Evidence, held: readonly Held[], findings: Findings): void {
  const arrived = new Set(
    held.flatMap(({ block, seq, body }) =>
      block.kind === 'ledger' ? [`${block.node} ${seq} ${body.timestamp} ${body.event}`] : [],
    ),
  )
  for (const { node, ledger } of nodes) {
    for (const { seq, timestamp, event } of ledger) {
      if (arrived.has(`${node} ${seq} ${timestamp} ${event}`)) continue
      findings.missing += 1
      findings.violations.push({ rule: 'missing', node, msg: `ledger record ${seq} (${event}) is not in the cloud` })
    }
  }
}

/** A request without an answer may have left a record; more records than such requests came from nowhere. */
function judgeInvented({ acks, unanswered, licence }: Evidence, held: readonly Held[], findings: Findings): void {
  if (licence.clones === true) return
  const known = new Set(acks.map(({ node, epoch, seq }) => keyOf(node, epoch, seq)))
  const unknown = new Map<string, number>()
  for (const { block, seq } of held) {
    const { node, kind, epoch, originEpoch } = block
    if (kind !== 'results' || known.has(keyOf(node, epoch, seq)) || known.has(keyOf(node, originEpoch ?? epoch, seq)))
      continue
    unknown.set(node, (unknown.get(node) ?? 0) + 1)
  }
  for (const [node, count] of unknown) {
    const limit = unanswered.get(node) ?? 0
    if (count <= limit) continue
    const msg = `the cloud holds ${count} results that were not acknowledged, and ${limit} requests got no answer`
    findings.violations.push({ rule: 'invented', node, msg })
  }
}

function miss(findings: Findings, excuse: Excuse, what: { node: string; seq: number; msg: string }): void {
  if (excuse(what.node, what.seq)) {
    findings.excused += 1
    return
  }
  findings.missing += 1
  findings.violations.push({ rule: 'missing', node: what.node, msg: what.msg })
}
