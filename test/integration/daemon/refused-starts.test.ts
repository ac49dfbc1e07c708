import { createHash } from 'node:crypto'
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { DaemonHome, type EdgeDaemonProcess } from '../../support/edge-daemon.ts'

const MODELS = fileURLToPath(new URL('../../../models', import.meta.url))

/** What a daemon that must not start said and how it ended. */
async function refusal(daemon: EdgeDaemonProcess): Promise<{ code: number | null; stderr: string }> {
  const { code } = await daemon.ended
  return { code, stderr: daemon.stderr }
}

/** One line that names the fault and, behind the arrow, the cure. */
function oneLine(code: string, fault: string, cure: string) {
  const quoted = [fault, cure].map((text) => text.replace(/[/.*+?()[\]]/g, '\\$&'))
  return expect.stringMatching(
    new RegExp(`^edge-daemon: ${code}: [^\\n]*${quoted[0]}[^\\n]* → [^\\n]*${quoted[1]}[^\\n]*\\n$`),
  )
}

describe('a daemon refuses to start, in one line with its cure,', () => {
  it('without a model', async () => {
    await using home = new DaemonHome()
    const dir = join(home.dir, 'none')
    home.configure({ 'models.dir': dir })
    const missing = await refusal(home.start())
    expect(missing).toEqual({ code: 78, stderr: oneLine('MODEL_MISSING', dir, 'models.dir') })
    mkdirSync(dir)
    const empty = await refusal(home.start())
    expect(empty).toEqual({ code: 78, stderr: oneLine('MODEL_MISSING', dir, 'models.dir') })
    home.configure({ 'models.serve': 'digit' })
    const other = await refusal(home.start())
    expect(other).toEqual({ code: 78, stderr: oneLine('MODEL_MISSING', '"digit"', 'digits') })
  })

  it('with a damaged model', async () => {
    await using home = new DaemonHome()
    const dir = join(home.dir, 'models')
    cpSync(MODELS, dir, { recursive: true })
    home.configure({ 'models.dir': dir })
    const file = join(dir, 'digits/digits.onnx')
    const manifestFile = join(dir, 'digits/manifest.json')
    const sound = readFileSync(file)
    const graph = Buffer.alloc(5000, 'not a graph')
    const described = JSON.parse(readFileSync(manifestFile, 'utf8'))
    described.variants[0].bytes = graph.length
    described.variants[0].sha256 = createHash('sha256').update(graph).digest('hex')
    writeFileSync(file, graph)
    const manifestText = readFileSync(manifestFile)
    writeFileSync(manifestFile, JSON.stringify(described))
    expect(await refusal(home.start())).toEqual({ code: 78, stderr: oneLine('MODEL_INVALID', file, 'export') })
    writeFileSync(manifestFile, manifestText)
    const bytes = Buffer.from(sound)
    bytes[5000] = (bytes[5000] ?? 0) ^ 1
    writeFileSync(file, bytes)
    expect(await refusal(home.start())).toEqual({ code: 78, stderr: oneLine('MODEL_INVALID', 'SHA-256', 'copy') })
    writeFileSync(file, bytes.subarray(0, 5000))
    expect(await refusal(home.start())).toEqual({ code: 78, stderr: oneLine('MODEL_INVALID', '5000 bytes', 'copy') })
    writeFileSync(manifestFile, '{\n  "format": 1,\n  "name": 7\n}\n')
    const manifest = await refusal(home.start())
    expect(manifest.code).toBe(78)
    expect(manifest.stderr).toContain('manifest.json:3: name')
  })

  it('on a port that is taken', async () => {
    await using home = new DaemonHome()
    const taker = createServer()
    await new Promise<void>((resolve) => taker.listen(0, '127.0.0.1', resolve))
    const address = `127.0.0.1:${(taker.address() as AddressInfo).port}`
    try {
      for (const key of ['inference.listen', 'control.listen']) {
        home.configure({ [key]: address })
        expect(await refusal(home.start())).toEqual({ code: 69, stderr: oneLine('PORT_IN_USE', address, key) })
      }
    } finally {
      await new Promise((resolve) => taker.close(resolve))
    }
  })

  it.each(['0.0.0.0:5443', '192.0.2.1:5443'])(
    'with a control listener off loopback (%s), or an address that is none of this machine',
    async (address) => {
      await using home = new DaemonHome()
      home.configure({ 'control.listen': address })
      const { code, stderr } = await refusal(home.start())
      expect({ code, stderr }).toEqual({ code: 78, stderr: oneLine('CONFIG_UNSERVABLE', address, '127.0.0.1:5443') })
      home.configure({ 'inference.listen': '192.0.2.1:5000' })
      const inference = await refusal(home.start())
      expect(inference).toEqual({
        code: 78,
        stderr: oneLine('CONFIG_UNSERVABLE', '192.0.2.1:5000', 'inference.listen'),
      })
    },
  )

  it('with a configuration file that is missing', async () => {
    await using home = new DaemonHome()
    const file = join(home.dir, 'nowhere.yaml')
    const { code, stderr } = await refusal(home.start({ args: ['--config', file] }))
    expect({ code, stderr }).toEqual({ code: 78, stderr: oneLine('CONFIG_UNREADABLE', file, 'check the path') })
  })

  it('on a state directory that is no directory', async () => {
    await using home = new DaemonHome()
    const file = join(home.dir, 'file')
    writeFileSync(file, '')
    home.configure({ 'state.dir': join(file, 'state') })
    const { code, stderr } = await refusal(home.start())
    expect({ code, stderr }).toEqual({ code: 69, stderr: oneLine('STORE_UNUSABLE', file, 'check that') })
  })

  it('on a state directory that it may not write', async () => {
    await using home = new DaemonHome()
    chmodSync(home.stateDir, 0o555)
    // Root may write anywhere; without its capabilities it is a user like any other.
    const under = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : []
    const { code, stderr } = await refusal(home.start({ under }))
    chmodSync(home.stateDir, 0o755)
    expect({ code, stderr }).toEqual({ code: 69, stderr: oneLine('STORE_UNUSABLE', home.stateDir, 'check that') })
  })

  it('on a state directory that another daemon owns, which goes on', async () => {
    await using home = new DaemonHome()
    const { inferUrl } = await home.serve()
    const { code, stderr } = await refusal(home.start())
    expect({ code, stderr }).toEqual({ code: 69, stderr: oneLine('STORE_LOCKED', home.stateDir, '--state-dir') })
    expect((await fetch(`${inferUrl}/readyz`)).status).toBe(200)
  })
})

describe('a configuration with faults', () => {
  it('is refused as a whole: every fault with its line and what to write instead', async () => {
    await using home = new DaemonHome()
    const lines = [
      'node:',
      '  name: n1',
      'inference:',
      '  listn: 127.0.0.1:0',
      '  bodyLimit: 10parsec',
      'alerts:',
      '  after: 30',
      'filter:',
      '  minConfidence: 7',
    ]
    writeFileSync(home.configFile, `${lines.join('\n')}\n`)
    const { code, stderr } = await refusal(home.start({ env: { EDGE_LIVE_INTERVAL: 'often' } }))
    expect(code).toBe(78)
    expect(stderr).toContain(`${home.configFile}:4: inference.listn: unknown key; did you mean "inference.listen"?`)
    expect(stderr).toContain(`${home.configFile}:5: inference.bodyLimit: `)
    expect(stderr).toContain(`${home.configFile}:7: alerts.after: `)
    expect(stderr).toContain(`${home.configFile}:9: filter.minConfidence: `)
    expect(stderr).toContain('EDGE_LIVE_INTERVAL: ')
    expect(stderr.trimEnd().split('\n')).toHaveLength(5)
  })

  it('that is not YAML is refused with the line', async () => {
    await using home = new DaemonHome()
    writeFileSync(home.configFile, 'node:\n  name: "n1\nsite: x\n')
    const { code, stderr } = await refusal(home.start())
    expect(code).toBe(78)
    expect(stderr).toMatch(/edge-daemon\.yaml:[234]: /)
  })
})
