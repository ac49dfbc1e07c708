import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A certificate and its key: PEM files. */
export interface KeyPair {
  readonly certFile: string
  readonly keyFile: string
}

/** The authority of a test cluster in a folder of its own. Kubernetes takes a name as user and an organization as group. */
export class ClusterAuthority {
  readonly caFile: string
  readonly #dir: string
  readonly #caKeyFile: string

  constructor(dir: string) {
    mkdirSync(dir, { recursive: true })
    this.#dir = dir
    this.caFile = join(dir, 'ca.crt')
    this.#caKeyFile = this.newKey('ca')
    const extensions = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign']
    openssl(
      'req',
      '-x509',
      '-new',
      '-key',
      this.#caKeyFile,
      '-days',
      '2',
      '-subj',
      '/CN=edgedeck-cluster',
      ...extensions,
      '-out',
      this.caFile,
    )
  }

  /** A private key in a file. */
  newKey(name: string): string {
    const file = join(this.#dir, `${name}.key`)
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file)
    return file
  }

  /** A certificate for a user of a group; with names (`IP:127.0.0.1`, `DNS:localhost`) for a server too. */
  issue(name: string, group: string, names: readonly string[] = []): KeyPair {
    const base = join(this.#dir, name.replaceAll(':', '-'))
    const [certFile, requestFile, extensionsFile] = [`${base}.crt`, `${base}.csr`, `${base}.ext`]
    const keyFile = this.newKey(name.replaceAll(':', '-'))
    openssl('req', '-new', '-key', keyFile, '-subj', `/O=${group}/CN=${name}`, '-out', requestFile)
    const extensions = ['keyUsage=critical,digitalSignature', 'extendedKeyUsage=clientAuth,serverAuth']
    if (names.length > 0) extensions.push(`subjectAltName=${names.join(',')}`)
    writeFileSync(extensionsFile, `${extensions.join('\n')}\n`)
    const signer = ['-CA', this.caFile, '-CAkey', this.#caKeyFile, '-set_serial', `0x${randomBytes(8).toString('hex')}`]
    openssl('x509', '-req', '-in', requestFile, ...signer, '-days', '2', '-extfile', extensionsFile, '-out', certFile)
    return { certFile, keyFile }
  }
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}
