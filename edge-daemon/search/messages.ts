import type { ErrorCode } from '../../protocol/errors.ts'
import type { Places, PlacesRequest } from '../store/places-contract.ts'
import type { StoreKeys } from '../store/seal.ts'
import type { PageSize, SearchPage, SearchRequest } from './contract.ts'
import type { ForwardedFrom } from './forwarded-from.ts'

/** What the thread of searches is started with. Keys go from memory to memory and are written nowhere. */
export interface SearcherSettings {
  readonly keys: StoreKeys | null
  /** @see TurnsOptions.share */
  readonly share: number
  readonly forwardedFrom: ForwardedFrom
}

/** To the thread of searches. */
export type ToSearcher =
  | { readonly t: 'begin'; readonly id: number; readonly by: number; readonly request: SearchRequest }
  | { readonly t: 'next'; readonly id: number; readonly size: PageSize }
  | { readonly t: 'end'; readonly id: number }
  /** Answers the question of a search; without `places` the store could not say. */
  | { readonly t: 'places'; readonly id: number; readonly places: Places | null; readonly msg: string }
  | { readonly t: 'keys'; readonly keys: StoreKeys }

/** From the thread of searches. */
export type FromSearcher =
  | { readonly t: 'ask'; readonly id: number; readonly request: PlacesRequest }
  | { readonly t: 'page'; readonly id: number; readonly page: SearchPage }
  | { readonly t: 'failed'; readonly id: number; readonly code: ErrorCode; readonly msg: string }
