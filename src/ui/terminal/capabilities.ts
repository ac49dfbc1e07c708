import { FORCE_COLOR_AT_START } from './full-colour.ts'
import type { ColourDepth } from './style.ts'

/** What the terminal can show. */
export interface TerminalCapabilities {
  readonly depth: ColourDepth
  /** Draw borders, bars and charts with ASCII: the console font or the locale has nothing else. */
  readonly ascii: boolean
  /** The terminal moves the cursor and has an alternate screen; false for `TERM=dumb` or none. */
  readonly addressable: boolean
}

/** The environment as it was when the process started. */
export function environmentAtStart(): NodeJS.ProcessEnv {
  return { ...process.env, FORCE_COLOR: FORCE_COLOR_AT_START }
}

/**
 * Read from the environment what the terminal can show: NO_COLOR (https://no-color.org: set and not empty) before
 * FORCE_COLOR (0–3) before COLORTERM and TERM; EDGEDECK_ASCII (`1` or `0`) before TERM=linux and the locale.
 */
export function detectCapabilities(env: NodeJS.ProcessEnv = environmentAtStart()): TerminalCapabilities {
  const term = env.TERM ?? ''
  return { depth: depthOf(env, term), ascii: isAsciiOnly(env, term), addressable: term !== '' && term !== 'dumb' }
}

function depthOf(env: NodeJS.ProcessEnv, term: string): ColourDepth {
  if (env.NO_COLOR) return 'none'
  const forced = env.FORCE_COLOR
  if (forced !== undefined) {
    if (forced === '0' || forced === 'false') return 'none'
    if (forced === '2') return '256'
    if (forced === '3') return 'true'
    if (forced === '1') return '16'
  }
  if (term === '' || term === 'dumb') return 'none'
  if (env.COLORTERM === 'truecolor' || env.COLORTERM === '24bit') return 'true'
  if (/-direct$|^xterm-kitty$|^alacritty$|^xterm-ghostty$|^wezterm$/.test(term)) return 'true'
  return /256/.test(term) ? '256' : '16'
}

function isAsciiOnly(env: NodeJS.ProcessEnv, term: string): boolean {
  if (env.EDGEDECK_ASCII === '1') return true
  if (env.EDGEDECK_ASCII === '0') return false
  if (term === 'linux' || term === 'dumb') return true
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || ''
  // No locale at all is what a bare SSH or container session has, and its terminal is UTF-8 nowadays.
  return locale !== '' && !/utf-?8/i.test(locale) && !/^(C|POSIX)$/.test(locale)
}
