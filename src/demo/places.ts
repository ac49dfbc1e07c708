import { existsSync } from 'node:fs'
import path from 'node:path'
import { EdgeError } from '../../protocol/errors.ts'
import { newerSource } from './stale-bundle.ts'

/** Programs that the demo starts as processes of their own: bundle in `dist/`, source file in a checkout. */
const PROGRAMS = {
  daemon: { bundle: 'edge-daemon.js', source: 'edge-daemon/main.ts' },
  cameras: { bundle: 'demo-cameras.js', source: 'src/demo/camera-main.ts' },
  reaper: { bundle: 'demo-reaper.js', source: 'src/demo/reaper-main.ts' },
} as const

/** Root of the installation: the nearest folder above this file that holds `package.json`. */
export function installationRoot(): string {
  let here = import.meta.dirname
  while (!existsSync(path.join(here, 'package.json'))) {
    const above = path.dirname(here)
    if (above === here) {
      throw new EdgeError('TOOL_MISSING', {
        message: `no package.json above ${import.meta.dirname}`,
        next: ['install edgedeck again'],
      })
    }
    here = above
  }
  return here
}

/**
 * File to give to `node` for a program: the bundle when there is one, else the source file. Run from source, the daemon is
 * its bundle still, which starts much sooner; but never one that is older than its source.
 * @throws EdgeError `TOOL_MISSING` when there is neither, or the bundle is older.
 */
export function programFile(program: keyof typeof PROGRAMS): string {
  const root = installationRoot()
  const { bundle, source } = PROGRAMS[program]
  const candidates = [path.join(root, 'dist', bundle), path.join(root, source)]
  const fromSource = import.meta.filename.endsWith('.ts')
  // The demo's own helpers must be of the same source, not of an older bundle.
  if (program !== 'daemon' && fromSource) candidates.reverse()
  const found = candidates.find((file) => existsSync(file))
  const newer = fromSource && found?.endsWith('.js') ? newerSource(root, found) : null
  if (newer !== null) {
    throw new EdgeError('TOOL_MISSING', {
      message: `dist/${bundle} is older than ${newer}`,
      next: ['run: npm run build'],
    })
  }
  if (found !== undefined) return found
  throw new EdgeError('TOOL_MISSING', { message: `${bundle} is not built`, next: ['run: npm run build'] })
}

/** Folder that holds the models served in the demo. */
export function modelsDir(): string {
  return path.join(installationRoot(), 'models')
}

/** Folder with a package for each way that a rollout can go. */
export function demoModelsDir(): string {
  return path.join(modelsDir(), 'demo')
}

/** Folder of 28×28 grey digits named `<label>-<n>.png`, which the cameras show. */
export function samplesDir(): string {
  return path.join(modelsDir(), 'digits', 'samples')
}
