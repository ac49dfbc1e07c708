import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { BUNDLE_OPTIONS } from '../../scripts/bundle-options.ts'

/** A way to draw the console, or not to: what is run, given a configuration file. */
export interface Contender {
  readonly name: 'edgedeck' | 'plain Ink' | 'no screen'
  readonly command: (configFile: string) => readonly string[]
}

/** Every canvas of the screens becomes rows of Ink `<Text>`; panes, layout and keys stay the product's own. */
const plainCanvas: Plugin = {
  name: 'plain-canvas',
  setup({ onResolve }) {
    onResolve({ filter: /\/canvas\.tsx$/ }, () => ({ path: join(import.meta.dirname, 'plain-canvas.tsx') }))
  },
}

/** Bundle the contenders into a folder, the way `npm run build` does, beside the data that they read. */
export async function bundleContenders(root: string, dir: string): Promise<readonly Contender[]> {
  for (const data of ['keymaps', 'themes', 'package.json', 'node_modules'])
    await symlink(join(root, data), join(dir, data))
  const common = { ...BUNDLE_OPTIONS, absWorkingDir: root }
  await build({ ...common, entryPoints: { edgedeck: 'src/main.ts' }, outdir: await folder(dir, 'console') })
  await build({
    ...common,
    entryPoints: { ink: 'bench/screen/plain-ink.tsx', none: 'bench/screen/no-screen.ts' },
    outdir: await folder(dir, 'plain'),
    plugins: [plainCanvas],
  })
  return [
    { name: 'edgedeck', command: (config) => [join(dir, 'console/edgedeck.js'), '--config', config] },
    { name: 'plain Ink', command: (config) => [join(dir, 'plain/ink.js'), config] },
    { name: 'no screen', command: (config) => [join(dir, 'plain/none.js'), config] },
  ]
}

async function folder(dir: string, name: string): Promise<string> {
  const path = join(dir, name)
  await mkdir(path)
  return path
}
