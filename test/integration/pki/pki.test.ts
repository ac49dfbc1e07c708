import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newKey, publicOf } from '../../../identity/keys.ts'
import { newNatsKey } from '../../../identity/nats-key.ts'
import { makeRequest } from '../../../identity/request.ts'
import { readPem, verifyChain } from '../../../identity/verify.ts'
import { enrolmentAnswerSchema } from '../../../protocol/enrolment.ts'
import { EdgeError } from '../../../protocol/errors.ts'
import { readCommandLine } from '../../../src/command-line/command-line.ts'
import { runPki } from '../../../src/commands/pki.ts'
import { BusFolder } from '../../../src/nats-accounts/folder.ts'
import { setUpBus } from '../../../src/nats-accounts/set-up.ts'
import { openAuthority } from '../../../src/pki/authority-folder.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { PtyProcess } from '../../support/pty.ts'

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))
const [ROOT, ISSUING] = ['correct horse battery', 'staple of the press']

let home: string
let env: Record<string, string>
let folder: string

/** `edgedeck pki …` without a terminal, in this process; what it says, or the line of its refusal. */
async function pkiWith(passphrase: string | undefined, ...args: readonly string[]): Promise<string> {
  const request = readCommandLine(['pki', ...args], '1')
  if (request.kind !== 'pki') throw new Error(`no command: ${args.join(' ')}`)
  const io = new CapturedIo()
  const place = {
    pkiDir: join(folder, '..'),
    identityDir: join(home, 'identity'),
    passphrase,
    ask: null,
    nowMs: Date.now(),
  }
  try {
    await runPki(request, place, io)
  } catch (error) {
    if (error instanceof EdgeError) return error.toLine()
    throw error
  }
  return io.out() + io.err()
}

/** The same with the passphrase of the issuing key. */
function pki(...args: readonly string[]): Promise<string> {
  return pkiWith(ISSUING, ...args)
}

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'edgedeck-pki-'))
  env = {
    XDG_DATA_HOME: join(home, 'data'),
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CONFIG_HOME: join(home, 'config'),
  }
  folder = join(home, 'data', 'edgedeck', 'pki', 'acme')
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

describe('edgedeck pki', () => {
  it('makes an authority with passphrases that are asked for and never shown', async () => {
    const command = [process.execPath, MAIN, 'pki', 'init', '--fleet', 'acme']
    const pty = new PtyProcess(command, { columns: 120, env: { ...process.env, ...env } })
    const answer = async (question: string, typed: string) => {
      await pty.emulator.until((screen) => screen.trimEnd().endsWith(question), 60_000)
      pty.type(typed)
    }
    try {
      await answer('New passphrase for the root key, which is kept offline:', `corrrect\x7f\x15${ROOT}\r`)
      await answer('The same again:', `${ROOT}\r`)
      await answer('New passphrase for the issuing key, which a controller needs:', `${ISSUING}\r`)
      await answer('The same again:', `${ISSUING}\r`)
      await expect(pty.ended).resolves.toEqual({ end: 'exit 0', modesRestored: true })
      const screen = pty.emulator.screen()
      expect(screen).toContain('The authority of the fleet acme is in')
      for (const secret of [ROOT, ISSUING, 'corr']) expect(screen.replace('correct the', '')).not.toContain(secret)
    } finally {
      await pty.dispose()
    }
    const authority = openAuthority(folder)
    expect(() => authority.unlockIssuing(ISSUING)).not.toThrow()
    expect(statSync(folder).mode & 0o077).toBe(0)
  }, 240_000)

  it('says what is wrong with a passphrase, and where to give one', async () => {
    expect(await pkiWith(ROOT, 'operator', 'mia')).toContain('PASSPHRASE_WRONG: the passphrase does not open')
    expect(await pkiWith(undefined, 'operator', 'mia')).toContain('name a file that only you can read')
    const open = join(home, 'open')
    writeFileSync(open, `${ISSUING}\n`, { mode: 0o644 })
    const exposed = await pkiWith(undefined, 'operator', 'mia', '--passphrase-file', open)
    expect(exposed).toContain(`run "chmod 600 ${open}"`)
    expect(await pkiWith('short', 'init', '--fleet', 'b', '--dir', join(home, 'b'))).toContain('12 characters or more')
    expect(openAuthority(folder).issued().records).toEqual([])
  })

  it('answers the request of a node without a network, and lets a name have one key', async () => {
    const [request, answerFile] = [join(home, 'request.pem'), join(home, 'answer.json')]
    const sign = (...more: string[]) =>
      pki('sign', request, '--site', 'plant-a', '--node', 'press-4', '--out', answerFile, ...more)
    const judged = (authority = openAuthority(folder)) => {
      const { certificate } = enrolmentAnswerSchema.parse(JSON.parse(readFileSync(answerFile, 'utf8')))
      return verifyChain(readPem(certificate), { trust: authority.trust(), nowMs: Date.now(), use: 'server' })
    }
    writeFileSync(request, await makeRequest(newKey()))
    expect(await sign('--controller', 'https://hub.example:5444')).toContain('plant-a/press-4 until ')
    expect(judged()).toMatchObject({ ok: true, named: { kind: 'node', site: 'plant-a', node: 'press-4' } })

    writeFileSync(request, await makeRequest(newKey()))
    const first = readFileSync(answerFile, 'utf8')
    expect(await sign()).toContain('NAME_TAKEN: plant-a/press-4 belongs to another key')
    expect(readFileSync(answerFile, 'utf8')).toBe(first)
    expect(await sign('--replace')).toContain('plant-a/press-4 until ')
    expect(judged()).toMatchObject({ ok: true })
    writeFileSync(answerFile, first)
    expect(judged()).toMatchObject({ ok: false, why: 'revoked' })

    writeFileSync(request, (await makeRequest(newKey())).replace(/M/g, 'N'))
    expect(await sign('--replace')).toContain('PKI_REFUSED')
  })

  it('takes an address among host names for what it is, and names people and nodes as they are typed', async () => {
    const out = join(home, 'hub')
    await pki('service', 'hub', '--dns', 'hub.example,10.0.0.3', '--ip', '10.0.0.3', '--out', out)
    const [leaf] = readPem(readFileSync(join(out, 'cert.pem'), 'utf8'))
    expect(leaf?.checkIP('10.0.0.3')).toBe('10.0.0.3')
    expect(leaf?.checkHost('hub.example')).toBe('hub.example')

    const request = join(home, 'other.pem')
    writeFileSync(request, await makeRequest(newKey()))
    await pki('sign', request, '--site', '仓库', '--node', 'a/b', '--out', join(home, 'other.json'))
    expect(await pkiWith(undefined, 'status')).toMatch(/^node\/仓库\/a%2Fb +in force .* UTC +\d+d \d+h /m)
  })

  it('tells whoever keeps an authority elsewhere to say so in what comes next', async () => {
    const dir = join(home, 'elsewhere')
    const told = await pkiWith(ROOT, 'init', '--fleet', 'acme', '--dir', dir)
    expect(told).toContain(`pki operator NAME --role admin --dir ${dir}`)
  })

  it('takes back on the bus what came with a certificate, or says how', async () => {
    const authority = openAuthority(folder)
    const { publicKey: busKey } = newNatsKey()
    const rights = { role: 'viewer', permissions: [], sites: '*' } as const
    const named = { kind: 'operator', fleet: authority.fleet, name: 'eve', rights } as const
    const wish = { named, publicKey: publicOf(newKey()), nowMs: Date.now() }
    await authority.issue(authority.unlockIssuing(ISSUING), wish, 'login', busKey)
    expect(await pki('revoke', 'operator/eve')).toContain(`edgedeck nats revoke ${busKey} --in`)
    const bus = join(home, 'bus')
    await setUpBus({ out: bus, fleet: authority.fleet, roots: authority.rootsPem() })
    expect(await pki('revoke', 'operator/eve', '--bus', bus)).toContain('1 of their credentials for the bus')
    expect(Object.keys(new BusFolder(bus).facts()?.revoked ?? {})).toEqual([busKey])
  })

  it('shows who was issued what, and that what was taken back counts no more', async () => {
    const out = join(home, 'mia')
    const issued = await pki(
      'operator',
      'mia',
      '--role',
      'admin',
      '--permission',
      'shell',
      '--sites',
      'plant-a',
      '--out',
      out,
    )
    expect(issued).toContain('operator/mia until ')
    expect(statSync(join(out, 'key.pem')).mode & 0o777).toBe(0o600)
    const other = await pki('service', 'nats', '--dns', 'hub', '--out', out)
    expect(other).toContain('OUTPUT_REFUSED')
    expect(await pki('revoke', 'operator/mia', '--why', 'left')).toContain('operator/mia counts no more')
    expect(await pki('revoke', 'operator/mai')).toContain('look at the spelling of operator/mai')
    const status = await pkiWith(undefined, 'status')
    expect(status).toMatch(/^operator\/mia +revoked: left .* admin shell plant-a /m)
    expect(status).toMatch(/^node\/plant-a\/press-4 +in force/m)
    const chain = readPem(readFileSync(join(out, 'cert.pem'), 'utf8'))
    const judged = { trust: openAuthority(folder).trust(), nowMs: Date.now(), use: 'client' } as const
    expect(verifyChain(chain, judged)).toMatchObject({ why: 'revoked', msg: 'operator/mia was revoked: left' })
  })
})
