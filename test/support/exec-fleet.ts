import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Sshd } from './sshd.ts'

/** What is not as usual in a node of an {@link ExecFleet}. */
export interface ExecNodeOptions {
  readonly server: Sshd
  /** `wrong` and `unknown` host keys are refused, an `unauthorized` login key too. */
  readonly fault?: 'wrong' | 'unknown' | 'unauthorized'
}

/**
 * An inventory of many nodes that are few SSH servers: each node logs in with a key of its own, for which the server sets
 * `ROLE` to the node's name, so that one command does something else on each.
 */
export class ExecFleet {
  readonly dir = mkdtempSync(join(tmpdir(), 'edgedeck-exec-'))
  readonly configFile = join(this.dir, 'config.yaml')
  readonly stateDir = join(this.dir, 'state')

  constructor(nodes: Readonly<Record<string, ExecNodeOptions>>) {
    const sshConfig = join(this.dir, 'ssh_config')
    const knownHosts = join(this.dir, 'known_hosts')
    const authorized = new Map<Sshd, string[]>()
    writeFileSync(knownHosts, '')
    for (const [name, { server, fault }] of Object.entries(nodes)) {
      const key = join(this.dir, name)
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
      const host = [`Host ${name}`, `HostName ${server.host}`, `Port ${server.port}`, `User ${server.user}`]
      const login = [`IdentityFile ${key}`, 'IdentitiesOnly yes', `HostKeyAlias ${name}`]
      appendFileSync(sshConfig, `${[...host, ...login].join('\n  ')}\n`)
      const publicKey = readFileSync(`${key}.pub`, 'utf8').trim()
      if (fault !== 'unauthorized') {
        authorized.set(server, [...(authorized.get(server) ?? []), `environment="ROLE=${name}" ${publicKey}`])
      }
      const hostKey = fault === 'wrong' ? publicKey : server.hostKey()
      if (fault !== 'unknown') appendFileSync(knownHosts, `${name} ${hostKey}\n`)
    }
    for (const [server, lines] of authorized) server.authorize(...lines)
    const list = Object.keys(nodes).map((name) => ({ name, url: 'ws://127.0.0.1:1', ssh: name }))
    const config = { ssh: { config: sshConfig, knownHosts }, nodes: list }
    // JSON is YAML.
    writeFileSync(this.configFile, JSON.stringify(config))
  }

  /** A server that lets the keys of such an inventory say who they are. */
  static server(): Promise<Sshd> {
    return Sshd.start({ config: ['PermitUserEnvironment yes'] })
  }

  /** For the command's process. */
  get env(): Record<string, string> {
    return { XDG_STATE_HOME: this.stateDir, SSH_AUTH_SOCK: '' }
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true })
  }
}
