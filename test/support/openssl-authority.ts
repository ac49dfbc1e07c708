import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate that openssl made, with its key. */
export interface OpensslCertificate {
  readonly certificate: X509Certificate
  readonly certFile: string
  readonly keyFile: string
}

/** Extensions of an authority, as openssl writes them. */
export const AUTHORITY = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign']
/** Extensions of somebody who is no authority, without a name. */
export const LEAF = ['basicConstraints=critical,CA:FALSE', 'extendedKeyUsage=clientAuth,serverAuth']

/** Certificates of every form, right and wrong, made by openssl. `using` removes them. */
export class OpensslAuthority {
  readonly #dir = mkdtempSync(join(tmpdir(), 'edgedeck-openssl-'))
  #count = 0

  /** Make a certificate with these extensions, by an issuer or by itself; valid for 20 days. */
  make(
    commonName: string,
    extensions: readonly string[],
    { issuer, key }: { readonly issuer?: OpensslCertificate; readonly key?: OpensslCertificate } = {},
  ): OpensslCertificate {
    this.#count += 1
    const file = (suffix: string): string => join(this.#dir, `${this.#count}.${suffix}`)
    const [certFile, requestFile, extFile] = [file('pem'), file('csr'), file('ext')]
    const keyFile = key?.keyFile ?? file('key')
    if (key === undefined) run('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', keyFile)
    run('req', '-new', '-key', keyFile, '-subj', `/CN=${commonName}`, '-out', requestFile)
    writeFileSync(extFile, `${extensions.join('\n')}\n`)
    const by = issuer === undefined ? ['-signkey', keyFile] : ['-CA', issuer.certFile, '-CAkey', issuer.keyFile]
    run(
      'x509',
      '-req',
      '-in',
      requestFile,
      ...by,
      '-set_serial',
      `${1000 + this.#count}`,
      '-days',
      '20',
      '-extfile',
      extFile,
      '-out',
      certFile,
    )
    return { certificate: new X509Certificate(readFileSync(certFile)), certFile, keyFile }
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

function run(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}
