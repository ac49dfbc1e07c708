import type { NewRecord } from '../../edge-daemon/store/contract.ts'
import type { ResultRecord } from '../../protocol/records.ts'

/** Results that stay on the node, each `1 + index` ms long; `change` alters one. */
export function normalResults(count: number, change: Partial<ResultRecord> = {}): NewRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    class: 'normal' as const,
    timestamp: 1_793_000_000_000 + index,
    body: { code: 200, pred: 7, confidence: 0.9, model: 'digits@1', total_ms: 1 + index, bytes: 100, ...change },
  }))
}
