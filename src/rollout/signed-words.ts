import { X509Certificate } from 'node:crypto'
import { digestOf, isSignedBy } from '../../identity/signing.ts'
import type { Verdict } from '../../identity/verify.ts'
import { canonicalJson, type Json } from '../../protocol/canonical-json.ts'
import { missingRight, type Rights, VERBS } from '../../protocol/rights.ts'
import type { Author, JournalEntry, Plan, RolloutEvent } from './contract.ts'

/** What a person says in a journal: a start, or a decision. */
export type PersonEvent = Extract<RolloutEvent, { type: 'rollout.started' | 'person.decided' }>
/** Such an event before it is signed. */
export type UnsignedWord =
  | Omit<Extract<PersonEvent, { type: 'rollout.started' }>, 'by'>
  | Omit<Extract<PersonEvent, { type: 'person.decided' }>, 'by'>

/** Judges who signed something, leaf first, as of when they did; by the deny list of now. */
export type JudgeSigner = (chain: readonly X509Certificate[], atMs: number) => Verdict

/** The rollout that words are about. */
export interface WordPlace {
  readonly rollout: string
  /** Number that the entry has, or is to have, in the journal. */
  readonly seq: number
  readonly name: string
}

/**
 * The text that a person's signature is over (architecture decision 7). It holds the number of the entry, so that a decision
 * cannot be said again by somebody who may write into the journal and was told it once; of a plan its digest.
 */
export function wordText(word: UnsignedWord, { rollout, seq, name }: WordPlace): string {
  const { at, why } = word
  const head = { rollout, seq, name, at, why }
  const said: Json =
    word.type === 'rollout.started'
      ? { ...head, what: 'start', plan: digestOf(word.plan as unknown as Json) }
      : { ...head, what: word.decision, wave: word.wave }
  return `edgedeck rollout v1\n${canonicalJson(said)}`
}

/** Sites of the nodes that a plan changes. */
export function sitesOf(plan: Plan): readonly string[] {
  const changed = new Set([...plan.waves.flatMap(({ nodes }) => nodes), ...plan.deferred.map(({ key }) => key)])
  return [...new Set(plan.nodes.flatMap(({ key, site }) => (changed.has(key) ? [site] : [])))]
}

/**
 * The right that somebody lacks to start a rollout or to decide about it, as a phrase; null when none. All sites that it
 * changes have to be theirs; to pause it one of them is enough.
 */
export function missingForWord(rights: Rights, word: PersonEvent['type'] | 'pause', plan: Plan): string | null {
  const missing = sitesOf(plan).map((site) => missingRight(rights, VERBS['change.stage'], site))
  if (word === 'pause' && missing.includes(null)) return null
  return missing.find((right) => right !== null) ?? null
}

/**
 * Why what a person is said to have said does not count; null when it does, and for all that drivers write.
 * @param plan of the rollout; of a start its own
 */
export function faultOfWord(entry: JournalEntry, rollout: string, plan: Plan, judge: JudgeSigner): string | null {
  const { seq, event } = entry
  if (event.type !== 'rollout.started' && event.type !== 'person.decided') return null
  const { by, at } = event
  if (by.signature === null || by.chain === null) return 'nobody signed it'
  if (event.type === 'rollout.started' && event.plan.rollout !== rollout) return 'its plan is of another rollout'
  const chain = readChain(by.chain)
  if (chain === null) return 'a certificate in it cannot be read'
  const verdict = judge(chain, at)
  if (!verdict.ok) return verdict.msg
  const { named, leaf } = verdict
  if (named.kind !== 'operator') return `it is signed by a ${named.kind}, and only operators decide`
  if (named.name !== by.name) return `it is signed by ${named.name}, not by ${by.name}`
  const { by: _by, ...word } = event
  if (!isSignedBy(wordText(word, { rollout, seq, name: by.name }), by.signature, leaf.publicKey)) {
    return `the signature of ${by.name} is not over this`
  }
  const isPause = event.type === 'person.decided' && event.decision === 'pause'
  const missing = missingForWord(named.rights, isPause ? 'pause' : event.type, plan)
  return missing === null ? null : `${by.name} has not ${missing}`
}

/**
 * Entries of a journal with those marked that do not count. `judge` null on a fleet without identities: there everything
 * counts. Nothing counts behind a start that does not.
 */
export function weighed(
  entries: readonly JournalEntry[],
  rollout: string,
  plan: Plan,
  judge: JudgeSigner | null,
): readonly JournalEntry[] {
  if (judge === null) return entries
  return entries.map((entry) => {
    const fault = faultOfWord(entry, rollout, plan, judge)
    return fault === null ? entry : { ...entry, ignored: fault }
  })
}

/** Who signs what they say: name and key. */
export interface Signer {
  readonly name: string
  readonly rights: Rights
  /** Base64, with the certificates that prove it. */
  readonly signKept: (text: string) => { readonly signature: string; readonly chain: readonly string[] }
}

/** A person's word as it is kept; `signer` null on a fleet without identities. */
export function signWord(
  word: UnsignedWord,
  place: Omit<WordPlace, 'name'>,
  signer: Signer | null,
  name: string,
): PersonEvent {
  const said = signer === null ? null : signer.signKept(wordText(word, { ...place, name: signer.name }))
  const by: Author = { name: signer?.name ?? name, signature: said?.signature ?? null, chain: said?.chain ?? null }
  return { ...word, by } as PersonEvent
}

function readChain(chain: readonly string[]): X509Certificate[] | null {
  try {
    return chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  } catch {
    return null
  }
}
