import { createHash } from 'node:crypto'
import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { Prompter } from '../remote/contract.ts'
import {
  judgeHostKey,
  type KnownHost,
  keyTypeOf,
  knownHostLine,
  knownKeyTypes,
  knownName,
  linesAboutServer,
} from './known-hosts.ts'
import { appendKnownHost, readKnownHosts } from './known-hosts-file.ts'
import type { KnownHostsRule } from './target.ts'

/** Algorithms by which a server may prove that it has a key, by the key's type, as OpenSSH offers them; SHA-1 is in none. */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
}

/** Sees to it that the server is the one that is meant. */
export class HostKeyCheck {
  readonly #rule: KnownHostsRule
  readonly #label: string
  readonly #prompter: Prompter
  readonly #entries: readonly KnownHost[]
  readonly #name: string

  /** Reads the files. @throws EdgeError `SSH_CONFIG_INVALID` */
  constructor({ rule, label, prompter }: { rule: KnownHostsRule; label: string; prompter: Prompter }) {
    this.#rule = rule
    this.#label = label
    this.#prompter = prompter
    this.#entries = linesAboutServer(readKnownHosts([...rule.userFiles, ...rule.globalFiles]), rule)
    this.#name = knownName(rule.name, rule.port)
  }

  /**
   * What to offer: only algorithms of keys that are known of this server, so that it shows one of them and its others never
   * look like a change; all where none is known.
   */
  get algorithms(): readonly string[] {
    const known = knownKeyTypes(this.#entries, this.#rule).flatMap((type) => ALGORITHMS[type] ?? [])
    return known.length > 0 ? known : Object.values(ALGORITHMS).flat()
  }

  /**
   * Judge the key that the server shows; ask where it is unknown, and write it down when it is right.
   * @throws EdgeError `SSH_HOST_KEY_…`
   */
  async check(key: Buffer): Promise<void> {
    const verdict = judgeHostKey(this.#entries, this.#rule, key)
    if (verdict.kind === 'known') return
    if (verdict.kind === 'revoked') throw this.#revoked(key, verdict.by)
    if (verdict.kind === 'changed') throw this.#changed(key, verdict.known)
    for (const { file, line } of verdict.authorities) {
      this.#prompter.tell(
        `${file}:${line} names who vouches for this server by SSH certificates, which are not read here`,
      )
    }
    await this.#beAccepted(key)
  }

  /** The server has no key that it can prove by an algorithm that was offered. */
  noSuchKey(): EdgeError {
    const known = judgedLines(this.#entries, this.#rule)
    if (known.length > 0) return this.#changed(null, known)
    return new EdgeError('SSH_UNREACHABLE', {
      message: `the SSH server ${this.#label} proves who it is only by what is no longer taken (SHA-1, DSA)`,
      next: ['let its sshd have an ed25519 key (ssh-keygen -A), or update it'],
    })
  }

  async #beAccepted(key: Buffer): Promise<void> {
    const { unknown, userFiles, hashNames } = this.#rule
    const shown = `${keyTypeOf(key)} key ${fingerprintOf(key)}`
    const question =
      `The SSH server ${this.#label} is not known yet. It shows the ${shown}.\n` +
      'Compare that with what the node itself says (ssh-keygen -lf /etc/ssh/ssh_host_…_key.pub). Is it right?'
    const isAccepted = unknown === 'accept' || (unknown === 'ask' && (await this.#prompter.confirm(question)))
    if (!isAccepted) {
      throw new EdgeError('SSH_HOST_KEY_UNKNOWN', {
        message: `the SSH server ${this.#label} is not known: it shows the ${shown}`,
        next: [
          unknown === 'refuse'
            ? `"StrictHostKeyChecking yes" takes known servers alone: write its key into ${userFiles[0] ?? 'known_hosts'}`
            : `open one shell on it and compare the fingerprint, or write its key into ${userFiles[0] ?? 'known_hosts'}`,
        ],
      })
    }
    const [file] = userFiles
    if (file !== undefined) appendKnownHost(file, knownHostLine(this.#name, key, hashNames))
  }

  #changed(key: Buffer | null, known: readonly KnownHost[]): EdgeError {
    const shown =
      key === null
        ? 'no key of a type that is known of it, by an algorithm that is taken'
        : `the ${keyTypeOf(key)} key ${fingerprintOf(key)}`
    const places = known.map(({ file, line, keyType }) => `${file}:${line} (${keyType})`)
    const files = [...new Set(known.map(({ file }) => file))]
    return new EdgeError('SSH_HOST_KEY_CHANGED', {
      message: untrusted(
        `the SSH server ${this.#label} is not the one that is known: it shows ${shown}, and known are ${places.join(', ')}. ` +
          'It was set up anew, or somebody is in between',
      ),
      next: [
        'find out from who looks after the node whether its key was changed',
        ...files.map(
          (file) => `if it was, take the old one out: ssh-keygen -R ${quoted(this.#name)} -f ${quoted(file)}`,
        ),
      ],
    })
  }

  #revoked(key: Buffer, { file, line }: KnownHost): EdgeError {
    return new EdgeError('SSH_HOST_KEY_REVOKED', {
      message: `the SSH server ${this.#label} shows the ${keyTypeOf(key)} key ${fingerprintOf(key)}, which ${file}:${line} calls revoked`,
      next: ['go on by nothing but the console of the machine itself: who has this key may not be the node'],
    })
  }
}

/** As OpenSSH shows a key: `SHA256:…`. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

function judgedLines(known: readonly KnownHost[], rule: KnownHostsRule): readonly KnownHost[] {
  // A key that is none differs from all that are known.
  const verdict = judgeHostKey(known, rule, Buffer.alloc(0))
  return verdict.kind === 'changed' ? verdict.known : []
}

/** A word for a shell. */
function quoted(word: string): string {
  return /^[\w./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
