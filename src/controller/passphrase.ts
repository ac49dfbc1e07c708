import { join } from 'node:path'
import { EdgeError } from '../../protocol/errors.ts'
import { readText } from '../pki/durable-file.ts'
import { PASSPHRASE_VARIABLE } from '../pki/passphrase.ts'

/** Name of the systemd credential that holds the passphrase. */
export const PASSPHRASE_CREDENTIAL = 'edgedeck-passphrase'

/**
 * The passphrase of the issuing key: the first line of the configured file or of the systemd credential, or
 * else `EDGEDECK_PASSPHRASE`.
 * @throws EdgeError `CONFIG_UNSERVABLE` when there is none, `PKI_UNUSABLE` when the file is open to others
 */
export function passphraseOf(file: string | null, env: Readonly<Record<string, string | undefined>>): string {
  const credentials = env.CREDENTIALS_DIRECTORY
  const from = file ?? (credentials === undefined ? null : join(credentials, PASSPHRASE_CREDENTIAL))
  const text = from === null ? (env[PASSPHRASE_VARIABLE] ?? null) : readText(from, { secret: true })
  const [passphrase = ''] = (text ?? '').split(/\r?\n/)
  if (passphrase !== '') return passphrase
  throw new EdgeError('CONFIG_UNSERVABLE', {
    message: from === null ? 'nobody says where the passphrase of the issuing key is' : `${from} holds no passphrase`,
    next: [
      'set pki.passphraseFile to a file that only the controller may read',
      `or, with systemd, LoadCredential=${PASSPHRASE_CREDENTIAL}:/etc/edgedeck/passphrase`,
    ],
  })
}
