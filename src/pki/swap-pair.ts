import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { readText, replaceFile } from './durable-file.ts'

/** A certificate and its key, which are changed together. */
export type Pair = 'root' | 'issuing'

/**
 * Put a new certificate and its sealed key beside those in force. Once the certificate is there the change is decided:
 * {@link finishSwap} carries it out, also after a crash.
 * @throws EdgeError `PKI_UNUSABLE`
 */
export function prepareSwap(
  dir: string,
  pair: Pair,
  { pem, sealedKey }: { readonly pem: string; readonly sealedKey: string },
): void {
  replaceFile(join(dir, `${pair}-next.key`), sealedKey, 0o600)
  replaceFile(join(dir, `${pair}-next.pem`), pem)
}

/** PEM of the certificate that waits to be put in force; null when none does. */
export function waitingCertificate(dir: string, pair: Pair): string | null {
  return readText(join(dir, `${pair}-next.pem`))
}

/** Put a prepared pair in force, the key first; nothing when none waits. @throws EdgeError `PKI_UNUSABLE` */
export function finishSwap(dir: string, pair: Pair): void {
  if (!existsSync(join(dir, `${pair}-next.pem`))) return
  for (const kind of ['key', 'pem']) {
    const [next, now] = [join(dir, `${pair}-next.${kind}`), join(dir, `${pair}.${kind}`)]
    try {
      if (existsSync(next)) renameSync(next, now)
    } catch (cause) {
      throw new EdgeError('PKI_UNUSABLE', {
        message: `${next} cannot be put in the place of ${now}: ${messageOf(cause)}`,
        next: ['check that the folder is yours'],
        cause,
      })
    }
  }
}
