import { EdgeError } from '../protocol/errors.ts'
import type { InputRecord } from '../protocol/records.ts'
import type { KeptPicture } from './live/contract.ts'
import type { Store } from './store/store.ts'

/**
 * The kept picture of the result with this sequence: it stands directly behind it.
 * @throws EdgeError `COMMAND_REFUSED` where consoles may not, `PICTURE_NOT_KEPT` when there is none, `STORE_FAILING` when the store cannot be read.
 */
export async function readPicture(
  store: Pick<Store, 'read'>,
  seq: number,
  access: 'allow' | 'deny',
): Promise<KeptPicture> {
  if (access === 'deny') {
    throw new EdgeError('COMMAND_REFUSED', {
      message: 'this node lets no console fetch pictures',
      next: ['set control.pictures to allow in its configuration'],
    })
  }
  const [record] = await store.read({ classes: ['input'], afterSeq: seq, throughSeq: seq + 1, limit: 1 })
  if (record === undefined) {
    throw new EdgeError('PICTURE_NOT_KEPT', {
      message: `no picture of result ${seq} is kept on this node`,
      next: ['pictures of abnormal results are kept while there is room: see inputs.* in its settings'],
    })
  }
  // The store's own lines are trusted: this daemon wrote them, and a checksum guards them.
  const { content_type: contentType, bytes: sizeBytes, data: base64 } = JSON.parse(record.line) as InputRecord
  return { contentType, sizeBytes, base64 }
}
