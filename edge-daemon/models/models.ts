import { constants, type Dirent } from 'node:fs'
import { access, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { PackageSigner } from '../../identity/package-signature.ts'
import { readManifest, sampleOf, verifyVariant } from '../../packages/model-folder.ts'
import { verifyFolder } from '../../packages/verify-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { MANIFEST_FILE, type Manifest } from '../../protocol/model-manifest.ts'
import { nearest } from '../../settings/document.ts'

/** A model that was verified and can be loaded; everything a session and the protocol routes need to know of it. */
export interface ServedModel {
  readonly name: string
  readonly version: string
  /** Which of its files, e.g. `fp32`. */
  readonly variant: string
  /** Absolute path of the ONNX file, free of symbolic links. */
  readonly path: string
  readonly sizeBytes: number
  /** SHA-256 of the file, hexadecimal. */
  readonly digest: string
  /** `shape` is batch (−1), channels, height, width. */
  readonly input: Manifest['input']
  readonly preprocessing: Manifest['preprocessing']
  /** `shape` is batch (−1), classes. */
  readonly output: Manifest['output']
  /** Name of each class, in the order of the output. */
  readonly classes: readonly string[]
  /** Pictures that it must tell right before it serves, and the places of their classes. */
  readonly selfTest: readonly { readonly path: string; readonly class: number }[]
}

/** A model folder whose manifest is sound; its files are not yet verified. */
export interface ModelFolder {
  readonly folder: string
  readonly manifest: Manifest
}

/**
 * The models of a models directory, which holds one folder a model; a folder without `manifest.json` is no model. A
 * damaged folder does not hide the others.
 *
 * @param dir the models directory
 * @returns sound folders by name, and the faults of the others.
 * @throws EdgeError `MODEL_MISSING` when the directory cannot be read.
 */
export async function loadModels(dir: string): Promise<{ models: ModelFolder[]; faults: EdgeError[] }> {
  const models: ModelFolder[] = []
  const faults: EdgeError[] = []
  for (const folder of await modelFolders(dir)) {
    try {
      models.push({ folder, manifest: await readManifest(folder) })
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error
      faults.push(error)
    }
  }
  models.sort((a, b) => (a.manifest.name < b.manifest.name ? -1 : 1))
  return { models, faults }
}

/**
 * Choose what this node serves and verify its file: the model named by `models.serve` (`name`, or `name@version`), or
 * else the only one there is.
 *
 * @param serve `models.serve` of the configuration
 * @param signers with `models.requireSignature`, the keys of which one must have signed the folder as a whole
 * @throws EdgeError `MODEL_MISSING` when there is none, no such name, or several and no name; `MODEL_INVALID` when the
 * one to serve is damaged; those of `verifyFolder`.
 */
export async function pickModel(
  dir: string,
  serve: string | null,
  signers: readonly PackageSigner[] | null = null,
): Promise<ServedModel> {
  return modelOf(await pickFolder(dir, serve, signers))
}

/** The folder that {@link pickModel} chooses, none of its variants verified yet. @throws EdgeError as there */
export async function pickFolder(
  dir: string,
  serve: string | null,
  signers: readonly PackageSigner[] | null = null,
): Promise<ModelFolder> {
  const { models, faults } = await loadModels(dir)
  const chosen = choose({ dir, serve, models, faults })
  if (signers !== null) await verifyFolder({ folder: chosen.folder, trust: signers })
  return chosen
}

/**
 * A variant of a model folder, its file verified.
 * @param name the variant, or else the first one
 * @throws EdgeError `MODEL_MISSING` for a variant that there is not, `MODEL_INVALID` for a damaged one.
 */
export async function modelOf({ folder, manifest }: ModelFolder, name?: string): Promise<ServedModel> {
  const variant = name === undefined ? manifest.variants[0] : manifest.variants.find((known) => known.name === name)
  if (variant === undefined) {
    throw new EdgeError('MODEL_MISSING', {
      message: `${manifest.name}@${manifest.version} has no variant ${JSON.stringify(name)}`,
      next: [`choose one of ${manifest.variants.map((known) => known.name).join(', ')}`],
    })
  }
  return {
    name: manifest.name,
    version: manifest.version,
    variant: variant.name,
    path: await verifyVariant(folder, variant),
    sizeBytes: variant.bytes,
    digest: variant.sha256,
    input: manifest.input,
    preprocessing: manifest.preprocessing,
    output: manifest.output,
    classes: manifest.classes,
    selfTest: await Promise.all(
      manifest.selfTest.map(async (sample) => ({ path: await sampleOf(folder, sample), class: sample.class })),
    ),
  }
}

interface Choice {
  readonly dir: string
  readonly serve: string | null
  readonly models: readonly ModelFolder[]
  readonly faults: readonly EdgeError[]
}

function choose({ dir, serve, models, faults }: Choice): ModelFolder {
  const fitting =
    serve === null ? models : models.filter(({ manifest }) => [manifest.name, wordOf(manifest)].includes(serve))
  const [only, second] = fitting
  if (only !== undefined && second === undefined) return only
  if (only !== undefined && second !== undefined) throw ambiguous(dir, fitting)
  // The wanted one may be among the damaged ones, whose names cannot be trusted.
  if (faults.length > 0) {
    throw new EdgeError('MODEL_INVALID', {
      message: faults.map((fault) => fault.message).join('\n'),
      next: [...new Set(faults.flatMap((fault) => fault.next))],
      cause: faults[0],
    })
  }
  if (serve === null) {
    throw new EdgeError('MODEL_MISSING', {
      message: `${dir} holds no model`,
      next: [`copy a folder with a ${MANIFEST_FILE} into it, or point models.dir to where one is`],
    })
  }
  const words = models.map(({ manifest }) => (serve.includes('@') ? wordOf(manifest) : manifest.name))
  const near = nearest(serve, words)
  throw new EdgeError('MODEL_MISSING', {
    message: `${dir} holds no model named ${JSON.stringify(serve)}${near === null ? '' : `; did you mean ${near}?`}`,
    next: [
      words.length === 0
        ? `copy the folder of ${JSON.stringify(serve)} into it`
        : `set models.serve to one of ${words.join(', ')}`,
    ],
  })
}

function ambiguous(dir: string, fitting: readonly ModelFolder[]): EdgeError {
  const words = fitting.map(({ manifest }) => wordOf(manifest))
  const twice = fitting.filter(
    (_, index) => words.indexOf(words[index] as string) !== words.lastIndexOf(words[index] as string),
  )
  const [one, other] = twice
  if (one !== undefined && other !== undefined) {
    return new EdgeError('MODEL_INVALID', {
      message: `${one.folder} and ${other.folder} both hold ${wordOf(one.manifest)}`,
      next: ['remove one of the two folders'],
    })
  }
  const names = new Set(fitting.map(({ manifest }) => manifest.name))
  return new EdgeError('MODEL_MISSING', {
    message:
      names.size > 1
        ? `${dir} holds several models and models.serve names none`
        : `${dir} holds several versions of ${[...names].join()} and models.serve names none of them`,
    next: [`set models.serve to one of ${(names.size === words.length ? [...names] : words).join(', ')}`],
  })
}

/** How `models.serve` names one version of a model. */
function wordOf({ name, version }: Manifest): string {
  return `${name}@${version}`
}

async function modelFolders(dir: string): Promise<string[]> {
  let entries: Dirent[]
  try {
    entries = await readdir(dir, { withFileTypes: true })
  } catch (error) {
    throw new EdgeError('MODEL_MISSING', {
      message: `the models directory ${dir} cannot be read: ${messageOf(error)}`,
      next: ['create it with one folder a model in it, or set models.dir to where the models are'],
      cause: error,
    })
  }
  const folders: string[] = []
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const folder = join(dir, entry.name)
    if (!(entry.isDirectory() || (entry.isSymbolicLink() && (await isDirectory(folder))))) continue
    if (await exists(join(folder, MANIFEST_FILE))) folders.push(folder)
  }
  return folders
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() ?? false
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  )
}
