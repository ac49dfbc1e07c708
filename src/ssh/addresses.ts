import { homedir, hostname, userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { NamedContext } from '../config/context.ts'
import type { NodeAddress } from '../config/node-address.ts'
import { readSshDestination } from '../config/ssh-destination.ts'
import { type ConfigItem, readSshConfig } from './config-file.ts'
import { sshDestinationOf } from './destination.ts'
import { resolveTarget, type SshSurroundings } from './resolve.ts'
import type { SshTarget } from './target.ts'

/** The fleet whose nodes are looked for, and the machine that looks. */
export interface SshAddressesOptions {
  readonly context: Pick<NamedContext, 'ssh' | 'name'>
  /** Our own configuration: files that it names are beside it. */
  readonly configFile: string
  readonly env?: Readonly<Record<string, string | undefined>>
  /** The user's home; their own when left out. */
  readonly home?: string
}

/** A node to be reached: as the inventory has it, and its site where that is known. */
export type NodeToReach = Pick<NodeAddress, 'key' | 'url' | 'ssh' | 'node' | 'site'>

/** Where the nodes of a fleet are over SSH. OpenSSH's files are read once, when the first is asked for. */
export class SshAddresses {
  readonly #options: SshAddressesOptions
  #surroundings: SshSurroundings | null = null

  constructor(options: SshAddressesOptions) {
    this.#options = options
  }

  /** @throws EdgeError `SSH_ADDRESS_MISSING` when nobody wrote it down, `SSH_CONFIG_INVALID` */
  targetOf(node: NodeToReach): SshTarget {
    const { context } = this.#options
    const around = this.#around()
    const destination = sshDestinationOf(node, context.ssh, around.items)
    if (destination !== null) {
      return resolveTarget({ ...destination, user: destination.user ?? context.ssh?.user ?? null }, around)
    }
    throw new EdgeError('SSH_ADDRESS_MISSING', {
      message: untrusted(`nothing says where ${node.key} is reached over SSH`),
      next: [
        `write "ssh: [user@]host" beside it under "nodes:" in ${this.#options.configFile}`,
        'or one rule for all of the context: "ssh: {host: \'{node}.plant.example\'}"',
        'or a "Host" of its name in ~/.ssh/config',
      ],
    })
  }

  /** Where an address that was typed leads. @throws EdgeError `USAGE` | `SSH_CONFIG_INVALID` */
  targetAt(address: string): SshTarget {
    const destination = readSshDestination(address)
    if (typeof destination !== 'string') return resolveTarget(destination, this.#around())
    throw new EdgeError('USAGE', { message: untrusted(destination) })
  }

  /** Whether it is written down where a node is reached. @throws EdgeError `SSH_CONFIG_INVALID` */
  knows(node: NodeToReach): boolean {
    return sshDestinationOf(node, this.#options.context.ssh, this.#around().items) !== null
  }

  #around(): SshSurroundings {
    this.#surroundings ??= surroundingsOf(this.#options)
    return this.#surroundings
  }
}

function surroundingsOf({ context, configFile, env = process.env, home }: SshAddressesOptions): SshSurroundings {
  const { username, uid } = userInfo()
  const ownHome = home ?? homedir()
  const beside = (file: string): string =>
    file.startsWith('~/') ? join(ownHome, file.slice(2)) : resolve(dirname(configFile), file)
  const { config = null, knownHosts = null } = context.ssh ?? {}
  return {
    items: itemsOf(config === null ? null : beside(config), ownHome),
    home: ownHome,
    localUser: username,
    localHost: hostname(),
    userId: uid,
    env,
    knownHosts: knownHosts === null ? null : beside(knownHosts),
  }
}

/** The user's file and then the machine's, or the one that stands in for both. */
function itemsOf(file: string | null, home: string): readonly ConfigItem[] {
  const folder = join(home, '.ssh')
  if (file !== null) return readSshConfig({ file, folder, home, isOwn: true, mustExist: true })
  const own = readSshConfig({ file: join(folder, 'config'), folder, home, isOwn: true, mustExist: false })
  const machine = { file: '/etc/ssh/ssh_config', folder: '/etc/ssh', home, isOwn: false, mustExist: false }
  return [...own, ...readSshConfig(machine)]
}
