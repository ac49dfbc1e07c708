import type { RecordClass } from '../protocol/subjects.ts'
import type { Store } from './store/store.ts'

/**
 * Those of some bodies, oldest first, that the store does not hold as the newest records of a class: a store that died while
 * it answered may have kept what it is asked to keep again.
 * @throws EdgeError `STORE_FAILING` when the store cannot be read.
 */
export async function unkept<T extends { readonly timestamp: number }>(
  store: Pick<Store, 'read'>,
  recordClass: RecordClass,
  bodies: readonly T[],
): Promise<T[]> {
  const newest = await store.read({ classes: [recordClass], limit: bodies.length, newestFirst: true })
  const kept = new Set(
    newest.map(({ line }) => {
      const { seq: _, node_id: __, ...body } = JSON.parse(line)
      return inOneOrder(body)
    }),
  )
  return bodies.filter((body) => !kept.has(inOneOrder(body)))
}

function inOneOrder({ timestamp, ...body }: { readonly timestamp: number }): string {
  return JSON.stringify({ timestamp, ...body })
}
