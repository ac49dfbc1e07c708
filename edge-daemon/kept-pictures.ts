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
  if (record === undefined) throw await whyNone(store, seq)
  // The store's own lines are trusted: this daemon wrote them, and a checksum guards them.
  const { content_type: contentType, bytes: sizeBytes, data: base64 } = JSON.parse(record.line) as InputRecord
  return { contentType, sizeBytes, base64 }
}

async function whyNone(store: Pick<Store, 'read'>, seq: number): Promise<EdgeError> {
  const [result] = await store.read({
    classes: ['normal', 'abnormal'],
    afterSeq: seq - 1,
    throughSeq: seq,
    limit: 1,
  })
  return result === undefined
    ? new EdgeError('PICTURE_NOT_KEPT', {
        message: `there is no result ${seq} on this node: it had to make room, or never was`,
        next: ['see the node for the sequences that it keeps'],
      })
    : new EdgeError('PICTURE_NOT_KEPT', {
        message: `result ${seq} is kept without its picture: it was not to be kept, or had to make room`,
        next: ['see inputs.* and store.keep.input.* in the settings of the node for which pictures it keeps'],
      })
}
