import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { BUNDLE_OPTIONS } from './bundle-options.ts'

/** Bundles what ships into `dist/`, so that the first frame and a daemon's start do not wait for a thousand small files. */
const root = fileURLToPath(new URL('..', import.meta.url))

const ENTRIES = {
  edgedeck: 'src/main.ts',
  'edge-daemon': 'edge-daemon/main.ts',
  'session-child': 'edge-daemon/inference/child.ts',
  'store-worker': 'edge-daemon/store/worker.ts',
  'package-worker': 'edge-daemon/models/package-worker.ts',
  'search-worker': 'edge-daemon/search/worker.ts',
  'follow-worker': 'edge-daemon/logs/follow/worker.ts',
  'demo-cameras': 'src/demo/camera-main.ts',
  'demo-reaper': 'src/demo/reaper-main.ts',
}

await rm(`${root}dist`, { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: ENTRIES,
  outdir: 'dist',
  ...BUNDLE_OPTIONS,
})
