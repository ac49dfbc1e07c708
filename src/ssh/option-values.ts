import type { HostOptions } from './config-options.ts'
import { LOGIN_METHODS, type LoginMethod, type UnknownKeyRule } from './target.ts'

const SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/** A time as OpenSSH writes it, such as `90` or `1m30s`, in ms; null when it is none. */
export function durationMs(word: string): number | null {
  if (!/^(?:\d{1,8}[smhdw]?)+$/i.test(word)) return null
  let sec = 0
  for (const [, digits = '', unit = ''] of word.matchAll(/(\d+)([smhdw]?)/gi)) {
    sec += Number(digits) * (SECONDS[unit.toLowerCase()] ?? 1)
  }
  return sec * 1000
}

/** Whether an option is switched on. */
export function isYes(word: string | null): boolean {
  return /^(?:yes|true)$/i.test(word ?? '')
}

/** What `StrictHostKeyChecking` asks for. Its `no` is not followed: it would take whoever answers for the server. */
export function unknownKeyRule(word: string | null): UnknownKeyRule {
  if (isYes(word)) return 'refuse'
  return word?.toLowerCase() === 'accept-new' ? 'accept' : 'ask'
}

/** Ways to log in, in the order wanted, without those that are switched off. */
export function methodsOf(options: HostOptions): readonly LoginMethod[] {
  const isOff = (keyword: string): boolean => /^(?:no|false)$/i.test(options.word(keyword) ?? '')
  const off: Readonly<Record<LoginMethod, boolean>> = {
    publickey: isOff('pubkeyauthentication'),
    'keyboard-interactive': isOff('kbdinteractiveauthentication') || isOff('challengeresponseauthentication'),
    password: isOff('passwordauthentication'),
  }
  const isBatch = isYes(options.word('batchmode'))
  const preferred = options.word('preferredauthentications')?.split(',') ?? LOGIN_METHODS
  return LOGIN_METHODS.filter((method) => preferred.includes(method))
    .sort((a, b) => preferred.indexOf(a) - preferred.indexOf(b))
    .filter((method) => !off[method] && (method === 'publickey' || !isBatch))
}
