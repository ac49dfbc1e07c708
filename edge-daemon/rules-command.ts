import { join } from 'node:path'
import { EdgeError } from '../protocol/errors.ts'
import type { ResultRecord } from '../protocol/records.ts'
import type { DaemonConfig } from './config/settings.ts'
import { compileExpression } from './rules/expression.ts'
import { RESULT_VARIABLES, ResultRules } from './rules/result-rules.ts'
import { excerpt, fieldNames, type RuleSpec } from './rules/rule.ts'
import { type Example, RuleTrials, type TrialReport } from './rules/trial.ts'
import { readKeyFile } from './store/key-file.ts'
import { StoreSnapshot } from './store/snapshot.ts'

/** What `edge-daemon rules test` was asked. Times are Unix ms, both ends included; null is open. */
export interface RulesTest {
  /** Condition to try instead of the configured rules. */
  readonly rule: string | null
  readonly fromMs: number | null
  readonly toMs: number | null
  readonly output: 'table' | 'json'
}

/** Name under which a condition from the command line is told. */
const TYPED_RULE = 'rule'

/**
 * Try the rules over results on what a node has kept, also while its daemon runs: nothing is locked or written. Returns the
 * text to print.
 * @throws EdgeError `USAGE` for a condition that is wrong, `STORE_UNUSABLE`, `STORE_KEY_MISSING`, `STORE_KEY_WRONG`.
 */
export function runRulesTest(test: RulesTest, config: DaemonConfig, keyFile: string | null): string {
  const specs = test.rule === null ? config.filter.abnormal : [typedRule(test.rule)]
  const rules = new ResultRules(specs, config.filter.minConfidence)
  const trials = new RuleTrials(
    rules,
    specs.map(({ name }) => name),
  )
  const keys = keyFile === null ? null : readKeyFile(keyFile)
  const snapshot = StoreSnapshot.open(join(config.state.dir, 'store'), keys)
  try {
    const records = snapshot.read({
      classes: ['normal', 'abnormal'],
      fromMs: test.fromMs ?? undefined,
      toMs: test.toMs ?? undefined,
      limit: Number.POSITIVE_INFINITY,
    })
    // The store's own lines are trusted: a daemon of ours wrote them, and a checksum guards them.
    for (const { line } of records) trials.take(JSON.parse(line) as ResultRecord)
  } finally {
    snapshot.close()
  }
  const report = trials.report()
  const { sealedBlocks } = snapshot
  if (test.output === 'json') return `${JSON.stringify({ ...report, sealedBlocks }, null, 2)}\n`
  return tableOf(report, sealedBlocks)
}

function typedRule(when: string): RuleSpec {
  const compiled = compileExpression(when, RESULT_VARIABLES)
  if (compiled.ok) return { name: TYPED_RULE, when, forMs: 0 }
  const { message, offset } = compiled
  throw new EdgeError('USAGE', {
    message: `--rule: ${message} (character ${offset + 1})\n${excerpt(when, offset)}`,
    next: [`fields are ${fieldNames(RESULT_VARIABLES)}`],
  })
}

function tableOf(report: TrialReport, sealedBlocks: number): string {
  const { results, from, to, abnormal, wasAbnormal, rules } = report
  const lines: string[] = []
  if (from === null || to === null) {
    lines.push('No results are kept in this range.')
  } else {
    lines.push(`${results} results from ${timeOf(from)} to ${timeOf(to)}`)
    lines.push(
      `${abnormal} would be abnormal (${pctOf(abnormal / results)}); ${wasAbnormal} were (${pctOf(wasAbnormal / results)})`,
    )
    lines.push('', ...aligned([['RULE', 'MATCHES', 'SHARE', 'REASON OF'], ...rules.map(ruleRow)]))
    for (const { rule, examples } of rules) {
      if (examples.length > 0)
        lines.push('', `${rule}, the last ${examples.length}:`, ...aligned(examples.map(exampleRow)))
    }
  }
  if (sealedBlocks > 0)
    lines.push('', `${sealedBlocks} blocks are sealed under keys that are not given and were left out.`)
  return `${lines.join('\n')}\n`
}

function ruleRow({ rule, matched, share, reason }: TrialReport['rules'][number]): string[] {
  return [rule, String(matched), pctOf(share), String(reason)]
}

function exampleRow({ seq, timestamp, code, pred, confidence, model, total_ms }: Example): string[] {
  const sure = confidence === null ? '-' : confidence.toFixed(3)
  return [
    '',
    String(seq),
    timeOf(timestamp),
    `code ${code}`,
    `pred ${pred ?? '-'}`,
    sure,
    model ?? '-',
    `${total_ms} ms`,
  ]
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}

function pctOf(share: number): string {
  return `${(share * 100).toFixed(2)} %`
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
