import type { BuildOptions, Plugin } from 'esbuild'

/** The schema library's messages in forty languages: half of its size, and we write our own. */
const withoutLocales: Plugin = {
  name: 'without-locales',
  setup: (build) => {
    build.onLoad({ filter: /zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({ contents: 'export {}' }))
  },
}

/** The Kubernetes client's thousand models: we read kubeconfigs and log in by it, and nothing that it loads is loaded for its effect. */
const withoutModels: Plugin = {
  name: 'without-models',
  setup: (build) => {
    build.onResolve({ filter: /^[.@a-z]/ }, async ({ path, importer, kind, resolveDir, pluginData }) => {
      if (pluginData === withoutModels.name || !importer.includes('@kubernetes/client-node')) return undefined
      const found = await build.resolve(path, { kind, importer, resolveDir, pluginData: withoutModels.name })
      return found.external ? found : { path: found.path, sideEffects: false }
    })
  },
}

/** How everything that ships is bundled; whoever measures the bundle builds with the same. Entry points and folder are the caller's. */
export const BUNDLE_OPTIONS = {
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
  // The SSH client asks a native package which ciphers the processor is quick at, and does without.
  alias: {
    'react-devtools-core': './scripts/empty-module.cjs',
    'cpu-features': './scripts/empty-module.cjs',
    // What the Kubernetes client would fetch by; our requests go by Node's own https, with the same options.
    undici: './scripts/empty-module.cjs',
  },
  plugins: [withoutLocales, withoutModels],
  // What modules of the older kind expect to be there.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url), __dirname = import.meta.dirname;",
  },
} as const satisfies BuildOptions
