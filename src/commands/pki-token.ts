import { DEFAULT_CONTROLLER_FILE, loadController } from '../controller/config.ts'
import { newToken } from '../controller/new-token.ts'
import { openAuthority } from '../pki/authority-folder.ts'
import { type PassphraseSource, passphraseOf } from '../pki/passphrase.ts'
import { type CommandIo, type OutputFormat, printJson } from './output.ts'

/** What `edgedeck pki token` was asked. */
export interface PkiTokenRequest {
  /** The controller's configuration; null for the default file. */
  readonly configFile: string | null
  readonly site: string
  readonly nodeName: string
  readonly ttlMs: number
  readonly replace: boolean
  /** Not the controller's own: who lets a name be replaced has to know it. */
  readonly passphrase: PassphraseSource
  readonly format: OutputFormat
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * Make a join token and print it, once. With `--replace` the issuing key is opened, which takes its passphrase.
 * @throws EdgeError
 */
export async function runPkiToken(request: PkiTokenRequest, io: CommandIo): Promise<void> {
  const { configFile, site, nodeName: node, ttlMs, replace, passphrase, format, env } = request
  const { config } = loadController(configFile ?? DEFAULT_CONTROLLER_FILE, env)
  const authority = openAuthority(config.pki.dir)
  const open = async () =>
    authority.unlockIssuing(await passphraseOf(passphrase, `the issuing key of ${authority.fleet}`))
  const replaceBy = replace ? await open() : null
  const { text, expiresAt } = newToken({ site, node, ttlMs, replaceBy, nowMs: Date.now() }, { config, authority })
  const until = new Date(expiresAt).toISOString()
  if (format !== 'table') {
    io.stdout.write(printJson([{ site, node, replace, token: text, expiresAt: until }], format))
    return
  }
  io.stderr.write(`for ${site}/${node}, once, until ${until}; on the node: edge-daemon join --token TOKEN\n`)
  io.stdout.write(`${text}\n`)
}
