import { pathOf } from '../../identity/names.ts'
import { LOGIN_NAMESPACE } from '../../protocol/enrolment.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { login } from '../pki/login.ts'
import { chooseSshIdentity, signWithSsh, titleOf } from '../pki/ssh-signer.ts'
import type { CommandIo } from './output.ts'

/** What `edgedeck login` was asked. */
export interface LoginTask {
  /** Null for the one of the context. */
  readonly controller: string | null
  /** Null for the user of this machine. */
  readonly name: string | null
  readonly key: string | null
  readonly pin: string | null
  readonly timeoutMs: number
}

/** What surrounds a login. */
export interface LoginPlace {
  readonly context: string
  readonly identityDir: string
  /** Controller of the context; null where it has none. */
  readonly controller: string | null
  readonly user: string
  readonly env: NodeJS.ProcessEnv
  /** Ask on the terminal, seen; null where there is none. */
  readonly ask: ((question: string) => Promise<string>) | null
  /** Unix ms. */
  readonly nowMs: number
}

/** Log in at the controller of a fleet and say who one is now. @throws EdgeError */
export async function runLogin(task: LoginTask, place: LoginPlace, io: CommandIo): Promise<void> {
  const say = (text: string): void => void io.stderr.write(`edgedeck: ${untrusted(text)}\n`)
  const controller = task.controller ?? place.controller
  if (controller === null) {
    throw new EdgeError('USAGE', {
      message: `nobody says where the controller of the context ${place.context} is`,
      next: ['name it with --controller https://host:5444', 'or as "controller:" in the configuration'],
    })
  }
  const identity = await chooseSshIdentity(task.key, place.env)
  say(`logging in with the SSH key ${identity.line === '' ? (identity.file ?? '') : titleOf(identity.line)}`)
  const { ask } = place
  const confirm = async (fleet: string, fingerprint: string): Promise<boolean> => {
    io.stderr.write(
      `${untrusted(controller)} says that it speaks for the fleet ${untrusted(fleet)} with the root\n  SHA-256 ${untrusted(fingerprint)}\n`,
    )
    return ['yes', 'y'].includes(
      ((await ask?.('Is that what "edgedeck pki init" told? (yes/no) ')) ?? '').trim().toLowerCase(),
    )
  }
  const { named, certificate, natsServers } = await login({
    controller,
    name: task.name ?? place.user,
    dir: place.identityDir,
    first: { pin: task.pin, confirm: ask === null ? null : confirm },
    sign: (text) => signWithSsh(text, { identity, namespace: LOGIN_NAMESPACE, signal: io.signal }),
    nowMs: place.nowMs,
    timeoutMs: task.timeoutMs,
    signal: io.signal,
  })
  const { role, permissions, sites } = named.rights
  const where = sites === '*' ? 'all sites' : sites.length === 0 ? 'no site' : `the sites ${sites.join(', ')}`
  io.stdout.write(
    `${untrusted(pathOf(named))} of ${named.fleet} until ${certificate.validToDate.toISOString()}: ` +
      `${untrusted([role, ...permissions].join(' + '))} at ${untrusted(where)}\n`,
  )
  if (natsServers.length > 0) say(`credentials for NATS at ${natsServers.join(', ')} are in nats.creds`)
}
