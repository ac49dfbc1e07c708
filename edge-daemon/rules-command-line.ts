import { parseArgs } from 'node:util'
import { EdgeError, messageOf } from '../protocol/errors.ts'
import { parseDurationMs } from '../settings/units.ts'
import type { RulesTest } from './rules-command.ts'

/** `rules test` as it was typed: what to do, and where the configuration is. */
export interface RulesRequest {
  readonly test: RulesTest
  readonly config: string | undefined
  readonly stateDir: string | undefined
}

const CURE = { next: ['see edge-daemon --help'] }

/**
 * Read the arguments behind `rules`.
 * @param nowMs Unix ms, which times such as `15m` are before
 * @throws EdgeError `USAGE`
 */
export function readRulesCommand([verb, ...args]: readonly string[], nowMs: number): RulesRequest {
  if (verb !== 'test') throw new EdgeError('USAGE', { message: `rules has no command "${verb ?? ''}"`, ...CURE })
  const options = parse(args)
  const output = options.output
  if (output !== 'table' && output !== 'json') {
    throw new EdgeError('USAGE', { message: `-o takes table or json, not "${output}"`, ...CURE })
  }
  const fromMs = timeOf('--from', options.from, nowMs)
  const toMs = timeOf('--to', options.to, nowMs)
  if (fromMs !== null && toMs !== null && fromMs > toMs) {
    throw new EdgeError('USAGE', { message: '--from is after --to', next: ['exchange them'] })
  }
  const test = { rule: options.rule ?? null, fromMs, toMs, output } as const
  return { test, config: options.config, stateDir: options['state-dir'] }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        config: { type: 'string' },
        'state-dir': { type: 'string' },
        from: { type: 'string' },
        to: { type: 'string' },
        rule: { type: 'string' },
        output: { type: 'string', short: 'o', default: 'table' },
      },
    }).values
  } catch (cause) {
    throw new EdgeError('USAGE', { message: messageOf(cause), ...CURE, cause })
  }
}

/** `2026-11-25T10:32:07Z`, or a duration before now such as `15m`. */
function timeOf(flag: string, text: string | undefined, nowMs: number): number | null {
  if (text === undefined) return null
  const agoMs = parseDurationMs(text)
  if (agoMs !== null) return Math.max(0, nowMs - agoMs)
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isFinite(at)) return at
  const next = ['write a time such as 2026-11-25T10:32:07Z, or how long ago, such as 15m']
  throw new EdgeError('USAGE', { message: `${flag} ${text} is no time`, next })
}
