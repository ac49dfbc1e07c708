import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Bundles what ships into `dist/`, so that the first frame and a daemon's start do not wait for a thousand small files. */
const root = fileURLToPath(new URL('..', import.meta.url))

const ENTRIES = {
  edgedeck: 'src/main.ts',
  'edge-daemon': 'edge-daemon/main.ts',
  'session-child': 'edge-daemon/inference/child.ts',
  'store-worker': 'edge-daemon/store/worker.ts',
  'demo-cameras': 'src/demo/camera-main.ts',
  'demo-reaper': 'src/demo/reaper-main.ts',
}

await rm(`${root}dist`, { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: ENTRIES,
  outdir: 'dist',
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  platform: 'node',
  target: 'node24',
  format: 'esm',
  jsx: 'automatic',
  minifySyntax: true,
  logLevel: 'warning',
  define: { 'process.env.NODE_ENV': '"production"' },
  // Native packages stay where npm put them; the rest travels in the bundle.
  external: ['onnxruntime-node', 'sharp'],
  // Ink asks for the dev tools only when DEV=true; the bundle answers with an empty module.
  alias: { 'react-devtools-core': './scripts/empty-module.cjs' },
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
})
