import { digestOfStatement } from '../../identity/package-signature.ts'
import { readPackageFile } from '../../packages/verify-folder.ts'
import { type Item, itemSchema, type Source, sourceSchema } from '../../protocol/change.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'

/** Most places that a node is told to fetch a package from. */
const MAX_SOURCES = 8

const WITH_DIGEST = /^([^@/]+)@([^#/]+)#([0-9a-f]{64})$/

/** Whether a name of a package is that of its folder. */
export function isFolderName(name: string): boolean {
  return !WITH_DIGEST.test(name)
}

/**
 * What a package's name stands for: `NAME@VERSION#DIGEST`, or a folder with `package.sig`, of which only the statement is
 * read: nodes verify it, with all its files, by their own keys.
 * @throws EdgeError `USAGE` | `PACKAGE_INVALID`
 */
export async function findItem(name: string): Promise<Item> {
  const [, model = '', version = '', digest = ''] = WITH_DIGEST.exec(name) ?? []
  if (digest !== '') return itemOf({ kind: 'model', name: model, version, digest }, name)
  if (/^[^@/]+@[^/]+$/.test(name)) {
    throw new EdgeError('USAGE', {
      message: `${untrusted(name)} has no digest`,
      next: ['write NAME@VERSION#DIGEST, as edgedeck model push prints it, or the folder of the package'],
    })
  }
  const { statement } = await readPackageFile(name)
  const { kind } = statement
  return itemOf({ kind, name: statement.name, version: statement.version, digest: digestOfStatement(statement) }, name)
}

function itemOf(given: Record<string, unknown>, name: string): Item {
  const item = itemSchema.safeParse(given)
  if (item.success) return item.data
  throw new EdgeError('USAGE', {
    message: `${untrusted(name)} is nothing that is rolled out: ${item.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('; ')}`,
    next: ['name a package of a model: NAME@VERSION#DIGEST, or its folder'],
  })
}

/**
 * Where nodes fetch a package: what was typed, else the bucket of the context's bus, and in any case what a console brought.
 * @throws EdgeError `USAGE`
 */
export function sourcesOf(from: readonly string[], bucket: string | null): readonly Source[] {
  const given = from.map(sourceOf)
  if (given.length > MAX_SOURCES) {
    throw new EdgeError('USAGE', { message: `at most ${MAX_SOURCES} sources`, next: ['leave some --from out'] })
  }
  if (given.length > 0) return given
  return [...(bucket === null ? [] : [{ kind: 'nats', bucket } as const]), { kind: 'link' }]
}

function sourceOf(text: string): Source {
  const given =
    text === 'link'
      ? { kind: text }
      : /^nats:/.test(text)
        ? { kind: 'nats', bucket: text.slice(5) }
        : { kind: 'https', url: text }
  const source = sourceSchema.safeParse(given)
  if (source.success) return source.data
  throw new EdgeError('USAGE', {
    message: `${untrusted(text)} is no source of packages`,
    next: ['write --from nats:BUCKET, --from https://…, or --from link'],
  })
}
