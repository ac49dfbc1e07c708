import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fingerprintOf } from '../../identity/fingerprint.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { AUTHORITY_FILES, type AuthorityFolder, openAuthority } from '../pki/authority-folder.ts'
import { createAuthority } from '../pki/create-authority.ts'
import { newPassphrase, type PassphraseSource, passphraseOf } from '../pki/passphrase.ts'
import { revoke } from '../pki/revoke.ts'
import { bound, finishRootRotation, rotateIssuing, rotateRoot } from '../pki/rotate.ts'
import type { AuthorityFlags, PkiTask } from '../pki/task.ts'
import type { CommandIo } from './output.ts'
import { issueOperator, issueServer, signNode } from './pki-issue.ts'
import { printStatus } from './pki-status.ts'

/** What surrounds a command on an authority. */
export interface PkiPlace {
  /** `$XDG_DATA_HOME/edgedeck/pki`. */
  readonly pkiDir: string
  /** Folder of the operator's own identity in the context of now. */
  readonly identityDir: string
  /** Value of EDGEDECK_PASSPHRASE. */
  readonly passphrase: string | undefined
  /** Ask on the terminal; null where there is none. */
  readonly ask: PassphraseSource['ask']
  /** Unix ms. */
  readonly nowMs: number
}

/**
 * Carry out one command of `edgedeck pki`.
 * @throws EdgeError `PKI_UNUSABLE`, `PKI_REFUSED`, `PASSPHRASE_WRONG` or `OUTPUT_REFUSED`
 */
export async function runPki(
  request: AuthorityFlags & { readonly task: PkiTask },
  place: PkiPlace,
  io: CommandIo,
): Promise<void> {
  const { task } = request
  const source = { file: request.passphraseFile, env: place.passphrase, ask: place.ask }
  if (task.what === 'init') return init(task, { source, dir: request.dir ?? join(place.pkiDir, task.fleet), place, io })
  const authority = openAuthority(request.dir ?? onlyFolder(place.pkiDir))
  const say = (text: string): void => void io.stderr.write(`edgedeck: ${untrusted(text)}\n`)
  const unlocked = async () =>
    authority.unlockIssuing(await passphraseOf(source, `the issuing key of ${authority.fleet}`))
  switch (task.what) {
    case 'status':
      return printStatus(authority, { ...task, nowMs: place.nowMs }, io)
    case 'operator':
      return issueOperator({ authority, issuing: await unlocked(), nowMs: place.nowMs, say }, task, place.identityDir)
    case 'service':
    case 'controller':
      return issueServer({ authority, issuing: await unlocked(), nowMs: place.nowMs, say }, task)
    case 'sign':
      return signNode({ authority, unlock: unlocked, nowMs: place.nowMs, say }, task, io)
    case 'revoke': {
      const { why, name, serial, bus } = task
      const revoked =
        name === null ? ({ what: 'serial', serial: serial ?? '' } as const) : ({ what: 'name', name } as const)
      const { list, known, busKeys } = revoke(authority, await unlocked(), { revoked, why, nowMs: place.nowMs })
      if (!known) say(`nothing like that was issued from this folder: look at the spelling of ${name ?? serial}`)
      say(`${name ?? serial} counts no more: deny list version ${list.version} in ${authority.path('deny')}`)
      say('a controller on this folder hands it out by itself, and nodes that are online have it within 60 s')
      say('where none runs, copy it to identity/deny.json in the state directory of each node, and start that again')
      return endOnBus(busKeys, { dir: bus, nowMs: place.nowMs, say })
    }
    case 'rotate':
      return rotate(authority, task, { source, place, say })
  }
}

/** Take back credentials for the bus, which no deny list ends, or tell how. */
async function endOnBus(
  keys: readonly string[],
  { dir, nowMs, say }: { readonly dir: string | null; readonly nowMs: number; readonly say: (text: string) => void },
): Promise<void> {
  if (keys.length === 0) {
    if (dir !== null)
      say('nothing is known here of credentials for the bus of theirs; "edgedeck nats revoke KEY" ends others')
    return
  }
  if (dir === null) {
    say(
      `their credentials for the bus count until they end; to end them now: edgedeck nats revoke ${keys.join(' ')} --in BUS`,
    )
    return
  }
  const { revokeUsers } = await import('../nats-accounts/set-up.ts')
  const folder = await revokeUsers(dir, keys, nowMs)
  say(`${keys.length} of their credentials for the bus are taken back in ${folder.configFile}`)
  say('to cut them off now, let the server read it again: nats-server --signal reload')
}

async function init(
  { fleet, issuingPassphraseFile }: Extract<PkiTask, { what: 'init' }>,
  { source, dir, place, io }: { source: PassphraseSource; dir: string; place: PkiPlace; io: CommandIo },
): Promise<void> {
  const rootPassphrase = await newPassphrase(source, 'the root key, which is kept offline')
  const issuingPassphrase = await issuingPassphraseOf(source, issuingPassphraseFile, rootPassphrase)
  const authority = await createAuthority({ dir, fleet, rootPassphrase, issuingPassphrase, nowMs: place.nowMs })
  const [root] = authority.roots
  // Where nobody would look for it by themselves, every later command has to be told.
  const where = dir === join(place.pkiDir, fleet) ? '' : ` --dir ${dir}`
  io.stdout.write(
    [
      `The authority of the fleet ${fleet} is in ${dir}.`,
      `  root     until ${day(root?.validToDate)}   SHA-256 ${root === undefined ? '' : fingerprintOf(root)}`,
      `  issuing  until ${day(authority.issuing.validToDate)}`,
      '',
      'What to do now:',
      `  1. Copy the folder to a second place that does not burn down with this one.`,
      `  2. Move ${AUTHORITY_FILES.rootKey} offline, e.g. to a stick in a safe. Only "edgedeck pki rotate" needs it.`,
      `  3. Get yourself in: edgedeck pki operator NAME --role admin${where}`,
      `  4. Let nodes in: edgedeck controller with pki: { dir: ${dir} }, or edgedeck pki sign for sites without a network.`,
      '',
    ].join('\n'),
  )
}

async function rotate(
  authority: AuthorityFolder,
  { which, finish, force, distrust, issuingPassphraseFile }: Extract<PkiTask, { what: 'rotate' }>,
  { source, place, say }: { source: PassphraseSource; place: PkiPlace; say: (text: string) => void },
): Promise<void> {
  const { nowMs } = place
  if (which === 'root' && finish && !force) {
    const waiting = bound(authority, nowMs)
    if (waiting.length > 0) {
      const names = waiting.slice(0, 5).map(({ name }) => name)
      throw new EdgeError('PKI_REFUSED', {
        message: `${waiting.length} certificates of the issuing certificate before are in force: ${names.join(', ')}${waiting.length > 5 ? ', …' : ''}`,
        next: ['wait until they are renewed: edgedeck pki status shows when', 'or end them: --force'],
      })
    }
  }
  const passphrase = await passphraseOf(source, `the root key of ${authority.fleet}`)
  if (which === 'issuing') {
    const issuingPassphrase = await issuingPassphraseOf(source, issuingPassphraseFile, passphrase)
    const rotated = await rotateIssuing(authority, { rootPassphrase: passphrase, issuingPassphrase, distrust, nowMs })
    say(
      `new issuing certificate until ${day(rotated.issuing.validToDate)}; start the controller again so that it uses it`,
    )
    say(
      distrust === null
        ? 'what the old one issued counts until it ends; issue the certificates of services and controllers anew before that'
        : `what the old one issued counts no more: trust bundle version ${rotated.bundle.version}; issue it anew`,
    )
    return
  }
  const changed = finish
    ? finishRootRotation(authority, { passphrase, nowMs })
    : await rotateRoot(authority, { passphrase, nowMs })
  say(
    `trust bundle version ${changed.bundle.version} holds ${changed.roots.length === 1 ? 'the new root alone' : 'both roots'}`,
  )
  if (finish) return say('the key of the old root is removed here: destroy its copies')
  say('both roots count: let every node take the new bundle, as those online do by themselves')
  say('then make an issuing certificate below the new root: edgedeck pki rotate issuing')
  say('and when all certificates are renewed: edgedeck pki rotate root --finish')
}

/** The passphrase of a new issuing key: its own when there is one, else that of the root. */
async function issuingPassphraseOf(
  { file, env, ask }: PassphraseSource,
  issuingFile: string | null,
  rootPassphrase: string,
): Promise<string> {
  if (issuingFile !== null) return newPassphrase({ file: issuingFile, env: undefined, ask: null }, 'the issuing key')
  if (file !== null || (env !== undefined && env !== '') || ask === null) return rootPassphrase
  return newPassphrase({ file: null, env: undefined, ask }, 'the issuing key, which a controller needs')
}

/** The folder of the only authority there is. */
function onlyFolder(pkiDir: string): string {
  const fleets = foldersIn(pkiDir)
  const [fleet] = fleets
  if (fleet !== undefined && fleets.length === 1) return join(pkiDir, fleet)
  throw new EdgeError('PKI_UNUSABLE', {
    message: fleets.length === 0 ? `there is no authority in ${pkiDir}` : `there are several authorities in ${pkiDir}`,
    next:
      fleets.length === 0
        ? ['make one: edgedeck pki init --fleet NAME', 'or name its folder with --dir']
        : [`choose one: --dir ${join(pkiDir, fleets[0] ?? '')}`],
  })
}

function foldersIn(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  } catch {
    return []
  }
}

function day(date: Date | undefined): string {
  return date?.toISOString().slice(0, 10) ?? 'never'
}
