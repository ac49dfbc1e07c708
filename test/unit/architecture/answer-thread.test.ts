import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { BUNDLE_OPTIONS } from '../../../scripts/bundle-options.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
/** Rooms whose work goes on in the thread that answers devices while it answers them. */
const ROOMS = ['edge-daemon/changes', 'edge-daemon/delivery', 'edge-daemon/models']
/** What waits for the disk and runs at a start alone, before anything is answered. */
const AT_A_START = [
  'edge-daemon/changes/clock.ts: readFileSync',
  'edge-daemon/changes/slot-file.ts: readSmallFile',
  'edge-daemon/changes/slot-file.ts: renameSync',
]
const WAITING = /^(\w+Sync|replaceFile|appendLine|removeFile|syncFolder|readSmallFile)$/
const IMPORTED = /import \{([^}]*)\} from '(?:node:fs|[./]*durable\/durable-file\.ts)'/g

test('what brings and changes models waits for no disk in the thread that answers devices', () => {
  const found: string[] = []
  for (const room of ROOMS) {
    for (const path of readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })) {
      if (!path.endsWith('.ts')) continue
      for (const [, names = ''] of readFileSync(join(ROOT, room, path), 'utf8').matchAll(IMPORTED)) {
        for (const name of names.split(','))
          if (WAITING.test(name.trim())) found.push(`${room}/${path}: ${name.trim()}`)
      }
    }
  }
  expect(found.sort()).toEqual(AT_A_START)
})

test('what parses manifests of packages and graphs is not in the program of that thread', async () => {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: { daemon: 'edge-daemon/main.ts', reader: 'edge-daemon/models/package-worker.ts' },
    outdir: 'dist',
    metafile: true,
    write: false,
    ...BUNDLE_OPTIONS,
  })
  const heldBy = (entry: string, found = new Set<string>(), name = `dist/${entry}.js`): Set<string> => {
    if (found.has(name)) return found
    found.add(name)
    const output = metafile.outputs[name]
    for (const path of Object.keys(output?.inputs ?? {})) found.add(path)
    for (const { path, external } of output?.imports ?? []) if (external !== true) heldBy(entry, found, path)
    return found
  }
  const parsers = ['packages/onnx-graph.ts', 'packages/model-package.ts']
  expect([...heldBy('reader')]).toEqual(expect.arrayContaining(parsers))
  expect(parsers.filter((path) => heldBy('daemon').has(path))).toEqual([])
})
