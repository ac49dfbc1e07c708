import { blobObject, statementObject } from '../../protocol/object-store.ts'
import { pushObject, sha256Of } from '../cloud/bucket-push.ts'
import { openCloud } from '../cloud/cloud-connection.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import { type LocalPackage, readStretch } from '../packages/local-package.ts'

/** A bucket of a region, and how long each of its answers may take. */
export interface BucketPlace {
  readonly cloud: CloudAddress
  readonly bucket: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * Have a package in a bucket; what is there already is left alone. Resolves with the bytes that were sent.
 * @throws Error with a sentence, when the region or its bucket is not there, refuses, or does not answer
 */
export async function bringToBucket(made: LocalPackage, { cloud, ...route }: BucketPlace): Promise<number> {
  const opened = await openCloud(cloud, { timeoutMs: route.timeoutMs, reconnects: 0 })
  try {
    const blobs = made.blobs.map(({ sha256, sizeBytes, path }) => ({
      name: blobObject(sha256),
      sha256,
      sizeBytes,
      read: (offset: number, length: number) => readStretch(path, offset, length),
    }))
    const { signed } = made
    const statement = {
      name: statementObject(made.digest),
      sha256: sha256Of(signed),
      sizeBytes: signed.length,
      read: async (offset: number, length: number) => signed.subarray(offset, offset + length),
    }
    let bytes = 0
    // The statement last: who finds it finds everything.
    for (const object of [...blobs, statement]) {
      const outcome = await pushObject(object, { ...opened, ...route })
      if (outcome.what === 'pushed') bytes += outcome.bytes
    }
    return bytes
  } finally {
    await opened.connection.close()
  }
}
