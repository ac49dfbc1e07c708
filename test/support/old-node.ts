import { spawnSync } from 'node:child_process'
import { existsSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A Node older than the pinned one. */
export interface OldNode {
  /** What starts it: program and options. */
  readonly command: readonly [string, ...string[]]
  readonly version: string
}

const PRETENDED = '20.0.0'

/**
 * The machine's own Node where it is older than the pinned one; else the pinned one that says it is Node 20, which is
 * all that a launcher looks at.
 *
 * @param dir a folder for what is needed to pretend
 */
export function oldNode(dir: string): OldNode {
  for (const folder of (process.env.PATH ?? '').split(':')) {
    const program = join(folder, 'node')
    if (folder.includes('node_modules') || !existsSync(program)) continue
    const version = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout.trim().slice(1)
    if (realpathSync(program) !== realpathSync(process.execPath) && Number(version.split('.')[0]) < 24) {
      return { command: [program], version }
    }
  }
  const pretence = join(dir, 'pretend.cjs')
  const versions = `{ value: { ...process.versions, node: '${PRETENDED}' } }`
  writeFileSync(pretence, `Object.defineProperty(process, 'versions', ${versions})\n`)
  return { command: [process.execPath, '--require', pretence], version: PRETENDED }
}
