import { execFileSync } from 'node:child_process'
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readSshKey, type SshKey, sshFingerprintOf } from '../../../identity/ssh-key.ts'
import { verifySshSignature } from '../../../identity/ssh-signature.ts'

const MESSAGE = 'edgedeck login v1\n{"name":"mia"}'
const NAMESPACE = 'edgedeck-login'
let dir: string

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'edgedeck-ssh-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** A key of ssh-keygen; its public part read by us. */
function keygen(
  type: string,
  ...more: string[]
): { readonly file: string; readonly line: string; readonly key: SshKey } {
  const file = join(dir, `id_${type}_${more.join('')}`)
  execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'mia', '-f', file, ...more])
  const line = readFileSync(`${file}.pub`, 'utf8')
  const key = readSshKey(line)
  if (typeof key === 'string') throw new Error(key)
  return { file, line, key }
}

function signedBy(file: string, options: readonly string[] = [], namespace = NAMESPACE): string {
  const args = ['-Y', 'sign', '-q', '-n', namespace, ...options, '-f', file]
  return execFileSync('ssh-keygen', args, { input: MESSAGE, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
}

describe('signatures of ssh-keygen', () => {
  it.each([
    ['ed25519', [], []],
    ['ecdsa', ['-b', '256'], []],
    ['rsa', ['-b', '2048'], []],
    ['rsa', ['-b', '3072'], ['-O', 'hashalg=sha256']],
  ])('of a key of type %s %j %j count', (type, kind, options) => {
    const { file, key } = keygen(type, ...kind)
    const signature = signedBy(file, options)
    const by = { message: MESSAGE, namespace: NAMESPACE, keys: [key] }
    expect(verifySshSignature(signature, by)).toEqual({ ok: true, key })
    expect(verifySshSignature(signature, { ...by, message: `${MESSAGE} ` })).toMatchObject({ ok: false })
    expect(verifySshSignature(signature, { ...by, namespace: 'git' })).toMatchObject({
      ok: false,
      msg: 'the SSH signature is for edgedeck-login, not git',
    })
    expect(verifySshSignature(signature, { ...by, keys: [] })).toEqual({
      ok: false,
      msg: `the key ${sshFingerprintOf(key)} is not one that may log in`,
    })
    expect(execFileSync('ssh-keygen', ['-l', '-f', `${file}.pub`], { encoding: 'utf8' })).toContain(
      sshFingerprintOf(key),
    )
  })

  it('do not count with any bit of them changed', () => {
    const { file, key } = keygen('ed25519', '-C', 'bits')
    const [head = '', ...lines] = signedBy(file).trim().split('\n')
    const tail = lines.pop() ?? ''
    const bytes = Buffer.from(lines.join(''), 'base64')
    const by = { message: MESSAGE, namespace: NAMESPACE, keys: [key] }
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(verifySshSignature([head, changed.toString('base64'), tail].join('\n'), by).ok, `bit ${bit}`).toBe(false)
    }
    for (let length = 0; length < bytes.length; length += 1) {
      const cut = bytes.subarray(0, length).toString('base64')
      expect(verifySshSignature([head, cut, tail].join('\n'), by).ok, `${length} bytes`).toBe(false)
    }
  })

  it('of a security key count when it was touched', () => {
    // No such device here: its signature is made as PROTOCOL.u2f says.
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const point = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
    const type = 'sk-ssh-ed25519@openssh.com'
    const blob = Buffer.concat([text(type), text(point), text('ssh:')])
    const key = readSshKey(`${type} ${blob.toString('base64')} mia`) as SshKey
    const by = { message: MESSAGE, namespace: NAMESPACE, keys: [key] }
    expect(verifySshSignature(securityKeySignature(privateKey, blob, 0x01), by)).toEqual({ ok: true, key })
    expect(verifySshSignature(securityKeySignature(privateKey, blob, 0x00), by)).toMatchObject({ ok: false })
  })
})

describe('public keys of SSH', () => {
  it.each([
    ['', 'expected a line'],
    ['ssh-ed25519', 'expected a line'],
    ['ssh-ed25519 AAAA', 'damaged'],
    ['ssh-dss AAAAB3NzaC1kc3MAAAAA', 'ssh-dss are not taken'],
    ['ssh-ed25519-cert-v01@openssh.com AAAA', 'certificates of SSH'],
  ])('that cannot be used are refused with a reason: %s', (line, why) => {
    expect(readSshKey(line)).toContain(why)
  })

  it('are refused when they are weak, or the line says another type', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })
    const [e, n] = [weak.e, weak.n].map((part) => Buffer.from(part ?? '', 'base64url'))
    const blob = Buffer.concat([
      text('ssh-rsa'),
      text(e ?? ''),
      text(Buffer.concat([Buffer.alloc(1), n ?? Buffer.alloc(0)])),
    ])
    expect(readSshKey(`ssh-rsa ${blob.toString('base64')}`)).toBe('the RSA key has 1024 bits, 2048 are needed')
    const { line } = keygen('ed25519', '-C', 'other')
    expect(readSshKey(line.replace('ssh-ed25519', 'ssh-rsa'))).toContain('its key is ssh-ed25519')
  })
})

function text(part: string | Buffer): Buffer {
  const bytes = Buffer.from(part as string)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

function securityKeySignature(privateKey: KeyObject, blob: Buffer, flags: number): string {
  const sha = (algorithm: string, part: string | Buffer) => createHash(algorithm).update(part).digest()
  const head = [text(NAMESPACE), text(''), text('sha512')]
  const signed = Buffer.concat([Buffer.from('SSHSIG'), ...head, text(sha('sha512', MESSAGE))])
  const state = Buffer.from([flags, 0, 0, 0, 7])
  const over = Buffer.concat([sha('sha256', 'ssh:'), state, sha('sha256', signed)])
  const inner = [text('sk-ssh-ed25519@openssh.com'), text(sign(null, over, privateKey)), state]
  const whole = [Buffer.from('SSHSIG'), Buffer.from([0, 0, 0, 1]), text(blob), ...head, text(Buffer.concat(inner))]
  return `-----BEGIN SSH SIGNATURE-----\n${Buffer.concat(whole).toString('base64')}\n-----END SSH SIGNATURE-----\n`
}
