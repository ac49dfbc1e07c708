/** What stands in place of a secret. */
export const REDACTED = '[redacted]'

/** Words that name a secret, alone or at the end of a longer name such as `db_password` or `accessToken`. */
const NAMES =
  'passw(?:or)?d|passphrase|pwd|secret|token|credentials?|api[_-]?key|private[_-]?key|access[_-]?key(?:[_-]?id)?|session[_-]?id'
const NAME_END = '(?:[_-]?(?:access)?[_-]?(?:key|hash|value))?'
/** A value: a list, quoted, quoted inside a quoted text, or up to the next blank. */
const VALUE = String.raw`(?:\[[^\]]*\]?|\\"(?:[^"\\]|\\[^"])*(?:\\")?|"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s"'&;\\]+)`

/** A kind of secret: what it looks like, and which capture goes in front of {@link REDACTED}. */
interface SecretKind {
  readonly pattern: RegExp
  readonly keep: string
}

/**
 * The built-in list. Every pattern takes time in proportion to the text: each begins with a word that is looked for, repeats
 * only what cannot begin another match, and bounds the rest.
 */
export const SECRET_KINDS: readonly SecretKind[] = [
  {
    pattern:
      /((?:proxy-)?authorization\\?["']?\s{0,4}[:=]>?\s{0,4}\[?\\?["']?)(?:[A-Za-z]{1,20}[ \t]{1,4})?[^\s"',;\\]+/gi,
    keep: '$1',
  },
  { pattern: /(\bbearer[ \t]{1,4})[\w.~+/=-]{16,8192}/gi, keep: '$1' },
  { pattern: /((?:set-)?cookie\\?["']?\s{0,4}[:=]\s{0,4}\\?["']?)[^"'\\\r\n]+/gi, keep: '$1' },
  { pattern: new RegExp(String.raw`((?:${NAMES})${NAME_END}\\?["']?\s{0,4}[:=]>?\s{0,4})${VALUE}`, 'gi'), keep: '$1' },
  { pattern: new RegExp(String.raw`(--(?:[a-z]{1,20}-)?(?:${NAMES})[ \t]{1,4})${VALUE}`, 'gi'), keep: '$1' },
  { pattern: new RegExp(String.raw`(<(?:\w{1,20}:)?(?:${NAMES})>)[^<]+`, 'gi'), keep: '$1' },
  // Up to the last @ before the path: passwords are written with one in them all the same.
  { pattern: /(:\/\/)[^\s/?#"'<>]{1,512}(?=@)/g, keep: '$1' },
  { pattern: /(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])/g, keep: '' },
  { pattern: /(?<![\w-])eyJ[\w-]{8,8192}\.[\w-]{4,8192}(?:\.[\w-]{0,8192})?/g, keep: '' },
  {
    pattern:
      /(?<![\w-])(?:gh[pousr]_\w{20,255}|github_pat_\w{20,255}|glpat-[\w-]{16,255}|xox[abprs]-[\w-]{10,255}|sk-[\w-]{20,255}|[rs]k_(?:live|test)_\w{16,255}|AIza[\w-]{30,64}|npm_\w{30,64}|hf_\w{30,64})/g,
    keep: '',
  },
]

/** What every secret of the list, its field's name or a private key holds: a pattern, and three characters of whatever it matches. */
const HINTS: readonly (readonly [pattern: string, ...any: string[]])[] = [
  ['passw', 'ssw'],
  ['passphrase', 'ssp'],
  ['pwd', 'pwd'],
  ['secret', 'cre'],
  ['token', 'tok'],
  ['credential', 'cre'],
  ['api[_-]?key', 'key'],
  ['private[_-]?key', 'key'],
  ['access[_-]?key', 'key'],
  ['session[_-]?id', 'ses'],
  ['authorization', 'uth'],
  ['bearer', 'rer'],
  ['cookie', 'coo'],
  [':\\/\\/', '://'],
  ['AKIA', 'aki'],
  ['ASIA', 'asi'],
  ['eyJ', 'eyj'],
  ['gh[pousr]_', 'hp_', 'ho_', 'hu_', 'hs_', 'hr_'],
  ['github_pat_', 'hub'],
  ['glpat-', 'glp'],
  ['xox[abprs]-', 'xox'],
  ['sk-', 'sk-'],
  ['[rs]k_', 'rk_', 'sk_'],
  ['AIza', 'aiz'],
  ['npm_', 'npm'],
  ['hf_', 'hf_'],
  ['PRIVATE KEY', 'iva'],
]

/** Whether a text can hold a secret of the list at all: most lines do not, and are looked at once. */
export const MAY_HOLD_SECRET = new RegExp(HINTS.map(([pattern]) => pattern).join('|'), 'i')

/** Which three characters give a hint (1); by five bits of each, which are the same for both cases of a letter. */
export const HINT_OF = new Uint8Array(1 << 15)
for (const [, ...any] of HINTS) {
  for (const [a, b, c] of any) HINT_OF[(bitsOf(a) << 10) | (bitsOf(b) << 5) | bitsOf(c)] = 1
}

function bitsOf(char = ''): number {
  return char.charCodeAt(0) & 31
}

/** Whether {@link MAY_HOLD_SECRET} can match a text, or may all the same: several times as quick, and no for most lines. */
export function hasHintOfSecret(text: string): boolean {
  let last = 0
  for (let at = 0; at < text.length; at += 1) {
    last = ((last << 5) | (text.charCodeAt(at) & 31)) & 0x7fff
    if (HINT_OF[last] === 1) return true
  }
  return false
}

/** Names of fields whose value is a secret, whatever it looks like. */
export const SECRET_FIELD = new RegExp(`(?:${NAMES}|authorization|cookie)${NAME_END}$`, 'i')

/** Where a private key in PEM begins and ends. */
export const KEY_BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/
export const KEY_END = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/
