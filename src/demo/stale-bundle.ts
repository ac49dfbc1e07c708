import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'

/** What the bundle of the daemon is made of, from the root of a checkout. */
const SOURCES = ['edge-daemon', 'protocol', 'settings', 'identity', 'tunnel', 'regex', 'packages', 'durable']

/**
 * The newest source file of the daemon that was written after its bundle was, from the root; null when there is none, as
 * where only bundles are installed.
 */
export function newerSource(root: string, bundle: string): string | null {
  let newest = { file: null as string | null, writtenMs: statSync(bundle).mtimeMs }
  for (const room of SOURCES.filter((name) => existsSync(path.join(root, name)))) {
    for (const name of readdirSync(path.join(root, room), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue
      const file = path.join(room, name)
      const writtenMs = statSync(path.join(root, file)).mtimeMs
      if (writtenMs > newest.writtenMs) newest = { file, writtenMs }
    }
  }
  return newest.file
}
