import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { parseSync } from 'oxc-parser'
import { PACKAGES, ROOMS } from './import-rules.ts'

/** One import in the code, `import type` included: it closes cycles too. */
export interface Import {
  /** Path from the root, with `/`. */
  readonly from: string
  readonly line: number
  /** Path from the root for a file of ours, else the package's name. */
  readonly to: string
  readonly isPackage: boolean
}

/** Every import of the TypeScript files below `folders` of `root`; also `import()` and `new URL('./x.ts', import.meta.url)`. */
export function readImports(root: string, folders: readonly string[]): Import[] {
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`),
  )
  return files.flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8')))
}

function importsOf(file: string, code: string): Import[] {
  const { module, errors } = parseSync(file, code)
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`)
  const specifiers: { value: string; start: number }[] = []
  for (const entry of module.staticImports) specifiers.push({ value: entry.moduleRequest.value, start: entry.start })
  for (const entry of module.staticExports) {
    for (const item of entry.entries) {
      if (item.moduleRequest) specifiers.push({ value: item.moduleRequest.value, start: item.start })
    }
  }
  const quoted = /^\s*(['"])([^'"]+)\1\s*$/
  for (const entry of module.dynamicImports) {
    const value = quoted.exec(code.slice(entry.moduleRequest.start, entry.moduleRequest.end))?.[2]
    if (value !== undefined) specifiers.push({ value, start: entry.start })
  }
  for (const match of code.matchAll(/new URL\(\s*['"](\.[^'"]+\.tsx?)['"],\s*import\.meta\.url/g)) {
    specifiers.push({ value: match[1] as string, start: match.index })
  }
  return specifiers
    .filter(({ value }) => !value.startsWith('node:'))
    .map(({ value, start }) => {
      const isPackage = !value.startsWith('.')
      const to = isPackage ? packageOf(value) : normalize(join(dirname(file), value)).replaceAll('\\', '/')
      return { from: file, line: code.slice(0, start).split('\n').length, to, isPackage }
    })
}

/** Every breach of the rules, one line each: an arrow that is not allowed, a package out of its room, a cycle of files. */
export function findBreaches(imports: readonly Import[]): string[] {
  return [...imports.flatMap(breachOf), ...findCycles(imports)]
}

function breachOf(entry: Import): string[] {
  const where = `${entry.from}:${entry.line}`
  const room = roomOf(entry.from)
  if (room === null) return [`${where}: stands in no room; add its folder to scripts/import-rules.ts`]
  if (entry.isPackage) {
    const rooms = PACKAGES[entry.to]
    return rooms === undefined || rooms.includes(room)
      ? []
      : [`${where}: ${room} may not import the package ${entry.to}; only ${rooms.join(', ')} may`]
  }
  const target = roomOf(entry.to) ?? entry.to
  if (target === room || ROOMS[room]?.includes(target)) return []
  return [`${where}: ${room} may not import ${target} (${entry.to})`]
}

function roomOf(path: string): string | null {
  let best: string | null = null
  for (const room of Object.keys(ROOMS)) {
    if (path.startsWith(`${room}/`) && room.length > (best?.length ?? 0)) best = room
  }
  return best
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] as string)
}

function findCycles(imports: readonly Import[]): string[] {
  const targets = Map.groupBy(
    imports.filter((entry) => !entry.isPackage),
    (entry) => entry.from,
  )
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (file: string, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(file)
    if (seenAt >= 0) {
      cycles.push(`import cycle: ${[...trail.slice(seenAt), file].join(' → ')}`)
      return
    }
    if (done.has(file)) return
    for (const entry of targets.get(file) ?? []) visit(entry.to, [...trail, file])
    done.add(file)
  }
  for (const file of targets.keys()) visit(file, [])
  return cycles
}
