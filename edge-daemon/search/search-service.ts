import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { compileLogFilter } from '../../regex/log-matcher.ts'
import { KeyRing } from '../store/seal.ts'
import type { SearchRequest } from './contract.ts'
import { classesFor, type ForwardedFrom } from './forwarded-from.ts'
import type { FromSearcher, SearcherSettings, ToSearcher } from './messages.ts'
import { type Pages, pagesOf } from './searches.ts'
import { Turns, type TurnsOptions } from './turns.ts'

/** Serves searches to the thread that started this one. */
export class SearchService {
  readonly #keys: KeyRing
  readonly #forwardedFrom: ForwardedFrom
  readonly #searches = new Map<number, { readonly by: number; readonly pages: Pages }>()
  readonly #turns: Turns

  constructor(
    { keys, share, forwardedFrom }: SearcherSettings,
    clock: Omit<TurnsOptions, 'share'>,
    post: (message: FromSearcher) => void,
  ) {
    this.#keys = new KeyRing(keys)
    this.#forwardedFrom = forwardedFrom
    this.#turns = new Turns(
      { ...clock, share },
      {
        page: (id, page) => post({ t: 'page', id, page }),
        failed: (id, error) => {
          const code = error instanceof EdgeError ? error.code : 'STORE_FAILING'
          post({ t: 'failed', id, code, msg: messageOf(error) })
        },
        ask: (id, request) => post({ t: 'ask', id, request }),
      },
    )
  }

  /** Take one message. */
  receive(message: ToSearcher): void {
    switch (message.t) {
      case 'begin':
        this.#searches.set(message.id, { by: message.by, pages: this.#pages(message.request) })
        return
      case 'next': {
        const { id, size } = message
        const search = this.#searches.get(id)
        if (search === undefined) return
        this.#turns.add({ id, by: search.by, begin: (isTimeUp) => search.pages.page(size, isTimeUp) })
        return
      }
      case 'places':
        this.#turns.answer(message.id, message.places ?? new Error(message.msg))
        return
      case 'end':
        this.#searches.delete(message.id)
        this.#turns.remove(message.id)
        return
      case 'keys':
        this.#keys.replace(message.keys)
    }
  }

  #pages(request: SearchRequest): Pages {
    const compiled = request.filter === null ? null : compileLogFilter(request.filter)
    // Whoever begins a search has compiled its filter before, to refuse it.
    if (compiled?.ok === false) throw new Error(compiled.message)
    const classes = classesFor(request.filter?.level, this.#forwardedFrom)
    return pagesOf(request, { matcher: compiled?.matcher ?? null, classes, keys: this.#keys })
  }
}
