import type { Ack, CloudBlock, Evidence, Figures, Verdict, Violation } from './evidence.ts'
import { judgeResults } from './oracle-results.ts'
import { judgeStatistics } from './oracle-statistics.ts'
import { judgeStreams } from './oracle-streams.ts'

/** Collects what the parts of the oracle find. */
export interface Findings {
  readonly violations: Violation[]
  missing: number
  twice: number
  mergedAway: number
  excused: number
}

/** A record of the cloud with the block that brought it. */
export interface Held {
  readonly block: CloudBlock
  readonly line: string
  readonly body: Readonly<Record<string, unknown>>
  readonly seq: number
}

/** The ledger's word on a node: whether an event of `excuses` names a range that holds `seq`. */
export type Excuse = (node: string, seq: number) => boolean

/**
 * Compare what was acknowledged with what cloud and nodes hold. Pure; the same evidence gives the same verdict.
 *
 * Every acknowledged abnormal result lies in the cloud exactly once (by node, epoch and sequence over live subjects);
 * every acknowledged normal one is on its node and in exactly one statistic; subjects rise, chains link, statistics
 * neither overlap nor leave holes, nothing is altered, and nothing is there that nobody sent. What the ledger accounts
 * for is excused only where the scenario says so.
 */
export function judge(evidence: Evidence): Verdict {
  const findings: Findings = { violations: [], missing: 0, twice: 0, mergedAway: 0, excused: 0 }
  const held = judgeStreams(evidence, findings)
  const excuse = excuseOf(evidence)
  judgeReuse(evidence, findings)
  judgeResults(evidence, held, excuse, findings)
  judgeStatistics(evidence, held, excuse, findings)
  return { violations: findings.violations, figures: figuresOf(evidence, held, findings) }
}

/** Whether a result travels itself: in torture's configuration exactly the ones without code 200 do. */
export function isAbnormal({ code }: { readonly code: number }): boolean {
  return code !== 200
}

/** Key of a record over all nodes. */
export function keyOf(node: string, epoch: string, seq: number): string {
  return `${node} ${epoch} ${seq}`
}

function judgeReuse({ acks }: Evidence, { violations }: Findings): void {
  const seen = new Set<string>()
  for (const { home, node, epoch, seq } of acks) {
    const key = `${home} ${epoch} ${seq}`
    if (seen.has(key)) violations.push({ rule: 'reused', node, msg: `${seq} of ${epoch} was given to two results` })
    seen.add(key)
  }
}

function ledgerBodies({ clouds, nodes }: Evidence): { node: string; body: Readonly<Record<string, unknown>> }[] {
  const found = new Map<string, { node: string; body: Readonly<Record<string, unknown>> }>()
  const add = (node: string, body: Readonly<Record<string, unknown>>): void => {
    found.set(`${node} ${body.seq} ${body.timestamp}`, { node, body })
  }
  for (const { blocks } of clouds) {
    for (const { kind, node, records } of blocks) if (kind === 'ledger') for (const { body } of records) add(node, body)
  }
  for (const { node, ledger } of nodes) for (const body of ledger) add(node, body)
  return [...found.values()]
}

function excuseOf(evidence: Evidence): Excuse {
  const { excuses = [] } = evidence.licence
  const ranges = ledgerBodies(evidence)
    .filter(({ body }) => excuses.includes(String(body.event)) && typeof body.first_seq === 'number')
    .map(({ node, body }) => ({
      node,
      first: body.first_seq as number,
      last: (body.last_seq ?? body.first_seq) as number,
    }))
  return (node, seq) => ranges.some((range) => range.node === node && seq >= range.first && seq <= range.last)
}

function figuresOf(evidence: Evidence, held: readonly Held[], findings: Findings): Figures {
  const ledger: Record<string, number> = {}
  for (const { body } of ledgerBodies(evidence)) ledger[String(body.event)] = (ledger[String(body.event)] ?? 0) + 1
  const count = (test: (ack: Ack) => boolean): number => evidence.acks.filter(test).length
  return {
    acks: evidence.acks.length,
    abnormal: count(isAbnormal),
    normal: count((ack) => !isAbnormal(ack)),
    unanswered: [...evidence.unanswered.values()].reduce((sum, n) => sum + n, 0),
    blocks: evidence.clouds.reduce((sum, { blocks }) => sum + blocks.length, 0),
    cloudRecords: held.length,
    statistics: held.filter(({ block }) => block.kind === 'stats').length,
    missing: findings.missing,
    twice: findings.twice,
    mergedAway: findings.mergedAway,
    excused: findings.excused,
    ledger,
  }
}
