import { untrusted } from '../../protocol/untrusted-text.ts'
import type { ConfigItem } from './config-file.ts'
import { fits, fitsAny } from './patterns.ts'

/** What OpenSSH's files say about one host. */
export interface HostOptions {
  /** The words of an option, of the first place that sets it; null where none does. */
  words(keyword: string): readonly string[] | null
  /** The first word of an option. */
  word(keyword: string): string | null
  /** The values of an option that adds up, such as `IdentityFile`. */
  all(keyword: string): readonly string[]
  /** What is asked for and not done here. */
  readonly notes: readonly string[]
}

/** Options that add up over all places. */
const ADDING = new Set(['identityfile', 'certificatefile'])

/** Options that are done here. */
const OBEYED = new Set(
  (
    'host hostname user port identityfile identitiesonly identityagent proxyjump hostkeyalias userknownhostsfile ' +
    'globalknownhostsfile connecttimeout serveraliveinterval serveralivecountmax preferredauthentications ' +
    'stricthostkeychecking hashknownhosts numberofpasswordprompts addressfamily passwordauthentication ' +
    'pubkeyauthentication kbdinteractiveauthentication challengeresponseauthentication batchmode certificatefile'
  ).split(' '),
)

/** Options without meaning for what is done here, or whose being left out makes nothing less safe. */
const HARMLESS = new Set(
  (
    'addkeystoagent batchmode canonicalizefallbacklocal canonicalizemaxdots checkhostip compression compressionlevel ' +
    'connectionattempts controlmaster controlpath controlpersist enableescapecommandline enablesshkeysign escapechar ' +
    'exitonforwardfailure fingerprinthash forkafterauthentication forwardx11timeout forwardx11trusted gatewayports ' +
    'gssapiauthentication gssapidelegatecredentials gssapikeyexchange gssapirenewalforcesrekey gssapitrustdns ' +
    'hostbasedauthentication hostbasedacceptedalgorithms hostbasedkeytypes ignoreunknown ipqos kbdinteractivedevices ' +
    'logfacility loglevel logverbose nohostauthenticationforlocalhost obscurekeystroketiming permitlocalcommand ' +
    'permitremoteopen protocol proxyusefdpass rekeylimit requesttty sendenv sessiontype stdinnull ' +
    'streamlocalbindmask streamlocalbindunlink syslogfacility tag tcpkeepalive updatehostkeys usekeychain useroaming ' +
    'visualhostkey warnweakcrypto xauthlocation'
  ).split(' '),
)

/** Values with which an option that is not done here asks for nothing. */
const ASKS_NOTHING = /^(?:no|none|false|0|default)$/i

/** What the files say about a host, as it was asked for. `loginAs` is who was asked for, else who is at the keyboard here. */
export function optionsFor(
  items: readonly ConfigItem[],
  host: string,
  users: { readonly asked: string | null; readonly local: string },
): HostOptions {
  const first = new Map<string, readonly string[]>()
  const added = new Map<string, string[]>()
  const notes = new Set<string>()

  const setOption = (keyword: string, words: readonly string[], file: string): void => {
    if (ADDING.has(keyword)) {
      const values = added.get(keyword) ?? []
      for (const word of words) if (!values.includes(word)) values.push(word)
      added.set(keyword, values)
    } else if (!first.has(keyword)) {
      first.set(keyword, words)
      const isAsked = !OBEYED.has(keyword) && !HARMLESS.has(keyword) && !ASKS_NOTHING.test(words.join(' '))
      if (isAsked && keyword !== 'proxycommand') notes.add(`${file}: "${keyword}" is not done here`)
    }
  }
  const isMatching = (criteria: readonly string[], file: string): boolean => {
    const named = {
      host: first.get('hostname')?.[0] ?? host,
      user: users.asked ?? first.get('user')?.[0] ?? users.local,
    }
    const verdict = matches(criteria, { ...named, original: host, localUser: users.local })
    if (typeof verdict === 'boolean') return verdict
    notes.add(`${file}: what stands under "Match ${criteria.join(' ')}" is passed over: ${verdict}`)
    return false
  }
  const walk = (list: readonly ConfigItem[]): void => {
    for (const item of list) {
      if (item.kind === 'option') setOption(item.keyword, item.words, item.file)
      else if (item.kind === 'include') walk(item.body)
      else if (item.kind === 'host' ? fitsAny(host, item.patterns) : isMatching(item.criteria, item.file))
        walk(item.body)
    }
  }
  walk(items)
  return {
    words: (keyword) => first.get(keyword) ?? null,
    word: (keyword) => first.get(keyword)?.[0] ?? null,
    all: (keyword) => added.get(keyword) ?? [],
    notes: [...notes].map(untrusted),
  }
}

/** Whether a host is meant by name in the files: by a pattern of `Host` other than `*`. */
export function isNamed(items: readonly ConfigItem[], host: string): boolean {
  return items.some((item) => {
    if (item.kind === 'include') return isNamed(item.body, host)
    if (item.kind !== 'host' || !fitsAny(host, item.patterns)) return false
    return item.patterns.some((pattern) => !/^[!*]*$/.test(pattern) && fits(host, pattern)) || isNamed(item.body, host)
  })
}

interface MatchNames {
  readonly host: string
  readonly original: string
  readonly user: string
  readonly localUser: string
}

/** Whether criteria of `Match` hold; a sentence where that cannot be known here. Nothing is ever run for it. */
function matches(criteria: readonly string[], names: MatchNames): boolean | string {
  let isMatching = true
  for (let at = 0; at < criteria.length; ) {
    const word = criteria[at++] ?? ''
    const negated = word.startsWith('!')
    const name = word.replace(/^!/, '').toLowerCase()
    if (name === 'all') {
      isMatching &&= !negated
      continue
    }
    const subject = SUBJECT[name]
    if (subject === undefined) return isMatching ? `"${name}" is not looked at here` : false
    const patterns = (criteria[at++] ?? '').split(',')
    if (fitsAny(subject(names), patterns) === negated) isMatching = false
  }
  return isMatching
}

const SUBJECT: Readonly<Record<string, (names: MatchNames) => string>> = {
  host: ({ host }) => host,
  originalhost: ({ original }) => original,
  user: ({ user }) => user,
  localuser: ({ localUser }) => localUser,
}
