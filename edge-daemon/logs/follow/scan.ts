import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { compileRegex } from '../../../regex/linear-regex.ts'
import type { FollowSettings } from './contract.ts'
import { containerSource } from './envelope.ts'
import type { SeriesOptions } from './series.ts'

/** Most files that are followed: each costs a look four times a second. */
const MAX_PATHS = 2000
const COMPRESSED = /\.(?:gz|xz|zst|zstd|bz2|lz4|lzma|zip|Z)$/

/** A pattern of paths and what its files are called and how they are read. */
export interface Pattern {
  readonly glob: string
  readonly optionsOf: (path: string) => SeriesOptions
}

/** What a look for files found. */
export interface Scan {
  readonly found: readonly { readonly pattern: Pattern; readonly path: string }[]
  /** Files beyond the most that are followed. */
  readonly over: number
}

/** The patterns of the settings, in their order: a path belongs to the first that finds it. */
export function patternsOf(settings: FollowSettings): readonly Pattern[] {
  const keepBytes = settings.maxLineBytes
  const patterns = settings.files.map(({ path: glob, source, format, multiline }): Pattern => {
    const compiled = multiline === null ? null : compileRegex(multiline)
    const reading = {
      envelope: null,
      multiline: compiled?.ok === true ? compiled.regex : null,
      keepChars: keepBytes,
      keepBytes,
    }
    return { glob, optionsOf: (path) => ({ path, source: source ?? sourceOf(path), format, reading }) }
  })
  const { dir, format: envelope } = settings.containers
  if (dir === null) return patterns
  // The envelope takes room besides the line in it, and a JSON one escapes.
  const reading = { envelope, multiline: null, keepChars: keepBytes, keepBytes: 2 * keepBytes + 256 }
  const optionsOf = (path: string): SeriesOptions => {
    return { path, source: containerSource(basename(path)) ?? sourceOf(path), format: 'auto', reading }
  }
  return [...patterns, { glob: join(dir, '*.log'), optionsOf }]
}

/** Look for the files that there are. @throws the file system's error of a folder that cannot be read. */
export function scan(patterns: readonly Pattern[]): Scan {
  const found = new Map<string, Pattern>()
  let over = 0
  for (const pattern of patterns) {
    for (const path of pathsOf(pattern.glob)) {
      if (found.has(path)) continue
      if (found.size < MAX_PATHS) found.set(path, pattern)
      else over += 1
    }
  }
  return { found: [...found].map(([path, pattern]) => ({ path, pattern })), over }
}

function pathsOf(glob: string): readonly string[] {
  if (!/[*?[{]/.test(glob)) return [glob]
  return globSync(glob)
    .filter((path) => !COMPRESSED.test(path))
    .sort()
}

function sourceOf(path: string): string {
  return (
    basename(path)
      .replace(/\.log$/, '')
      .slice(0, 200) || path
  )
}
