import type { PlaceUse, RemotePlace } from '../remote/contract.ts'

/** What is asked or told while a shell is opened; every text is safe to show. */
export type ShellFace =
  /** The places of a node are looked up. */
  | { readonly phase: 'looking'; readonly use: PlaceUse; readonly node: string; readonly typedAhead: string }
  /** One of several places is chosen; `text` is what is searched for. */
  | {
      readonly phase: 'choosing'
      readonly use: PlaceUse
      readonly node: string
      readonly places: readonly RemotePlace[]
      readonly faults: readonly string[]
      readonly text: string
      readonly row: number
    }
  /** A line is typed: the name of the node, a reason, an answer for the other side. */
  | {
      readonly phase: 'typing'
      readonly node: string
      readonly title: string
      /** Lines above what is typed. */
      readonly text: readonly string[]
      readonly typed: string
      readonly secret: boolean
      /** What is wrong with what was typed; null when nothing is. */
      readonly fault: string | null
    }
  /** The connection is made; `said` is what the other side told. */
  | {
      readonly phase: 'connecting'
      readonly node: string
      readonly label: string
      readonly said: readonly string[]
      readonly typedAhead: string
    }
  /** It came to nothing, or broke off; enter tries again. */
  | { readonly phase: 'failed'; readonly node: string; readonly title: string; readonly text: readonly string[] }

/** Places that a searched text fits, in their order. */
export function placesFor(places: readonly RemotePlace[], text: string): readonly RemotePlace[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return places.filter(({ label, detail }) => {
    const all = `${label} ${detail}`.toLowerCase()
    return words.every((word) => all.includes(word))
  })
}
