import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { addKey } from '../../../edge-daemon/store/key-file.ts'
import type { ResultRecord } from '../../../protocol/records.ts'
import {
  DaemonHome,
  type EdgeDaemonProcess,
  eventually,
  postPicture,
  runDaemon,
  SOURCE,
} from '../../support/edge-daemon.ts'
import { TestConsole } from '../../support/live-node.ts'
import { samplePicture } from '../../support/pictures.ts'

const NODE = 'press-4711-north'

async function newKey(file: string): Promise<string> {
  const { code, stdout } = await runDaemon([process.execPath, SOURCE, 'keys', 'new', '--key-file', file])
  expect(code).toBe(0)
  return stdout
}

/** A node with a key of its own. */
async function sealedHome(): Promise<{ home: DaemonHome; keyFile: string }> {
  const home = new DaemonHome()
  const keyFile = join(home.dir, 'store.keys')
  addKey(keyFile)
  home.configure({ 'node.name': NODE, 'store.keyFile': keyFile, 'faults.allow': true })
  return { home, keyFile }
}

/** Files under a folder that hold one of the texts, as `file: text`. */
function findings(dir: string, texts: readonly string[]): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .flatMap((entry) => {
      const bytes = readIfThere(join(entry.parentPath, entry.name))
      return texts
        .filter((text) => bytes.includes(text) || entry.name.includes(text))
        .map((text) => `${entry.name}: ${text}`)
    })
}

/** What is in a file; nothing where a running daemon has put another one in its place since. */
function readIfThere(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}

function said(daemon: EdgeDaemonProcess, event: string): string[] {
  return daemon.lines.filter((line) => line.includes(`"event":"${event}"`))
}

async function readResults(liveUrl: string): Promise<{ rows: ResultRecord[]; status: { store: object } }> {
  const console = await TestConsole.open(liveUrl)
  console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 10 })
  console.send({ t: 'read', id: 'r', topic: 'results', fromMs: 0, toMs: Date.now() + 1000, limit: 10_000 })
  await console.until(() => console.of('end').some(({ id }) => id === 'r') && console.of('status').length > 0)
  const rows = console.rows('r') as ResultRecord[]
  const status = console.of('status').at(-1) as { store: object }
  console.close()
  return { rows, status }
}

describe('a node with a key', () => {
  it('leaves nothing readable in its state directory, and serves all of it', async () => {
    const { home, keyFile } = await sealedHome()
    await using _ = home
    const { daemon, inferUrl, liveUrl } = await home.serve({ program: SOURCE })
    const pictures = [0, 1, 2, 3].map((digit) => samplePicture(digit))
    for (const picture of pictures) await postPicture(inferUrl, picture)
    await postPicture(inferUrl, Buffer.from('this is no picture'))
    const { rows, status } = await readResults(liveUrl)
    expect(rows).toHaveLength(5)
    expect(status.store).toMatchObject({ encryption: { keyId: 1, keys: 1, missingKeys: 0, plainBlocks: 0 } })
    const texts = [
      ...[NODE, 'plant', 'node_id', '"seq"', '"pred"', 'confidence', 'digits@', 'listening', 'is served by generation'],
      ...pictures.flatMap((picture) => [picture.toString('base64').slice(0, 60), picture.toString('latin1', 60, 90)]),
      'this is no picture',
      Buffer.from('this is no picture').toString('base64'),
    ]
    expect(findings(home.stateDir, texts)).toEqual([])
    expect(await daemon.stop()).toMatchObject({ code: 0 })
    expect(findings(home.stateDir, texts)).toEqual([])
    expect(existsSync(join(home.stateDir, 'logs'))).toBe(false)
    const secret = readFileSync(keyFile, 'utf8').match(/^1:(.+)$/m)?.[1] ?? ''
    expect(secret).toHaveLength(44)
    expect([daemon.stderr, ...daemon.lines].join('\n')).not.toContain(secret)
    // The looking itself is sound: a plain node shows what was looked for.
    home.configure({ 'node.name': NODE, 'state.dir': join(home.dir, 'plain') })
    const plain = await home.serve({ program: SOURCE })
    await postPicture(plain.inferUrl, samplePicture(4))
    expect(said(plain.daemon, 'store.plain')[0]).toContain('NOT encrypted')
    expect(findings(join(home.dir, 'plain'), texts).join('\n')).toMatch(/log: press-4711-north\n[\s\S]*log: "pred"/)
  })

  it('takes a new key on SIGHUP without a stop, keeps the old ones in force when the file is unusable', async () => {
    const { home, keyFile } = await sealedHome()
    await using _ = home
    const { daemon, inferUrl, liveUrl } = await home.serve({ program: SOURCE })
    await postPicture(inferUrl, samplePicture(1))
    expect(await newKey(keyFile)).toBe(`key 2 is in ${keyFile}; a running edge-daemon takes it on SIGHUP\n`)
    daemon.child.kill('SIGHUP')
    await eventually(() => said(daemon, 'store.sealed').some((line) => line.includes('under key 2')))
    await postPicture(inferUrl, samplePicture(2))
    chmodSync(keyFile, 0o644)
    daemon.child.kill('SIGHUP')
    await eventually(() => said(daemon, 'store.keys_refused').length === 1)
    expect(said(daemon, 'store.keys_refused')[0]).toContain(`chmod 600 ${keyFile}`)
    expect(await postPicture(inferUrl, samplePicture(3))).toMatchObject({ stored: true })
    const { rows, status } = await readResults(liveUrl)
    expect(rows.map(({ pred }) => pred)).toEqual([1, 2, 3])
    expect(status.store).toMatchObject({ encryption: { keyId: 2, keys: 2, missingKeys: 0 } })
  })

  it('refuses to start without its key or with another one under its number, in one line with its cure', async () => {
    const { home, keyFile } = await sealedHome()
    await using _ = home
    const { daemon, inferUrl } = await home.serve({ program: SOURCE })
    await postPicture(inferUrl, samplePicture(1))
    await daemon.stop()
    const refused = async (changes: Record<string, unknown>): Promise<string> => {
      home.configure({ 'node.name': NODE, ...changes })
      const daemon = home.start({ program: SOURCE })
      expect(await daemon.ended).toMatchObject({ code: 78 })
      return daemon.stderr
    }
    const backup = join(home.dir, 'backup.keys')
    cpSync(keyFile, backup)
    writeFileSync(keyFile, '# empty\n')
    addKey(keyFile)
    const without = await refused({})
    expect(without).toMatch(
      /^edge-daemon: STORE_KEY_MISSING: this store is sealed under key 1, [^\n]*→[^\n]*store.keyFile[^\n]*\n$/,
    )
    const wrong = await refused({ 'store.keyFile': keyFile })
    expect(wrong).toMatch(/^edge-daemon: STORE_KEY_WRONG: key 1 is not the key 1 that sealed [^\n]* → [^\n]*\n$/)
    const gone = await refused({ 'store.keyFile': join(home.dir, 'gone') })
    expect(gone).toMatch(/^edge-daemon: STORE_KEYS_UNUSABLE: [^\n]*gone cannot be read[^\n]* → [^\n]*keys new[^\n]*\n$/)
    home.configure({ 'node.name': NODE, 'store.keyFile': backup })
    const again = await home.serve({ program: SOURCE })
    expect((await readResults(again.liveUrl)).rows).toHaveLength(1)
  })
})
