import { EdgeError } from '../../protocol/errors.ts'

/** What packs under a version that is named on the line. */
const NAMED: ReadonlySet<string> = new Set(['config', 'labelled'])

/**
 * Arguments in which `--version V` behind a command that packs is its `--release V`: whoever types it means the version of the
 * package, and the program's own `--version` would answer instead and pack nothing.
 * @throws EdgeError `USAGE` behind `model pack`, whose version stands in the manifest
 */
export function withPackVersion(argv: readonly string[]): readonly string[] {
  const packAt = argv.findIndex((word, at) => word === 'pack' && isPacker(argv[at - 1]))
  if (packAt < 0) return argv
  const endAt = argv.indexOf('--', packAt)
  const isVersion = (word: string, at: number): boolean =>
    at > packAt && (endAt < 0 || at < endAt) && (word === '--version' || word.startsWith('--version='))
  if (!argv.some(isVersion)) return argv
  if (!NAMED.has(argv[packAt - 1] ?? '')) {
    throw new EdgeError('USAGE', {
      message: 'model pack takes no --version: the version of a model stands in the manifest.json of its folder',
      next: ['write it there, as "version", and pack the folder'],
    })
  }
  return argv.map((word, at) => (isVersion(word, at) ? word.replace('--version', '--release') : word))
}

function isPacker(word: string | undefined): boolean {
  return word !== undefined && (word === 'model' || NAMED.has(word))
}
