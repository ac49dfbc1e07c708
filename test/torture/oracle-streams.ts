import type { CloudBlock, CloudCopy, Evidence } from './evidence.ts'
import { type Findings, type Held, keyOf } from './oracle.ts'

/**
 * Judge every subject by itself and merge the regions as readers do: by node, epoch and sequence, and a doubtful record
 * is dropped only where an identical one is held already.
 */
export function judgeStreams({ clouds }: Evidence, findings: Findings): Held[] {
  const merged = new Map<string, Held>()
  for (const cloud of clouds) {
    for (const fault of cloud.faults) damaged(findings, cloud.region, fault)
    judgeSubjects(cloud, findings)
    for (const [key, held] of mergeRegion(cloud, findings)) {
      const other = merged.get(key)
      if (other !== undefined && other.line !== held.line) {
        const msg = `regions hold different records ${held.seq} of ${held.block.epoch}`
        findings.violations.push({ rule: 'altered', node: held.block.node, msg })
      }
      merged.set(key, other ?? held)
    }
  }
  return [...merged.values()]
}

function damaged({ violations }: Findings, region: string, msg: string): void {
  violations.push({ rule: 'damaged', node: region, msg })
}

/** Order within blocks and subjects, and the chain of digests, each within an epoch. */
function judgeSubjects({ region, blocks }: CloudCopy, { violations }: Findings): void {
  const before = new Map<string, CloudBlock>()
  for (const block of blocks) {
    const { node, subject, epoch, firstSeq, records } = block
    const where = `${subject} at ${block.position} in ${region}`
    for (const [index, { seq }] of records.entries()) {
      const last = records[index - 1]?.seq ?? 0
      if (seq <= last) violations.push({ rule: 'order', node, msg: `${where}: ${seq} stands behind ${last}` })
    }
    const chain = `${subject} ${epoch}`
    const previous = before.get(chain)
    before.set(chain, block)
    if (previous === undefined) continue
    if (firstSeq <= previous.lastSeq && !block.maybeDuplicate) {
      violations.push({ rule: 'order', node, msg: `${where}: ${firstSeq} comes after ${previous.lastSeq}` })
    }
    if (block.prevDigest !== previous.digest && !block.maybeDuplicate) {
      const said = block.prevDigest ?? 'none'
      violations.push({ rule: 'chain', node, msg: `${where}: says ${said} lies before it, that is ${previous.digest}` })
    }
  }
}

/** Doubtful blocks are merged last: whether a record is one of a kind must not depend on which copy came first. */
function mergeRegion({ region, blocks }: CloudCopy, findings: Findings): Map<string, Held> {
  const held = new Map<string, Held>()
  for (const block of [
    ...blocks.filter((sure) => !sure.maybeDuplicate),
    ...blocks.filter((doubt) => doubt.maybeDuplicate),
  ]) {
    const { node, epoch, originEpoch, maybeDuplicate } = block
    for (const { seq, line, body } of block.records) {
      const original = originEpoch === null ? undefined : held.get(keyOf(node, originEpoch, seq))
      const same = held.get(keyOf(node, epoch, seq))
      if (maybeDuplicate && (original?.line === line || same?.line === line)) {
        findings.mergedAway += 1
        continue
      }
      if (same !== undefined) {
        findings.twice += 1
        const msg = `${block.kind} ${seq} of ${epoch} lies at ${same.block.position} and ${block.position} in ${region}`
        findings.violations.push({ rule: 'twice', node, msg })
        continue
      }
      held.set(keyOf(node, epoch, seq), { block, line, body, seq })
    }
  }
  return held
}
