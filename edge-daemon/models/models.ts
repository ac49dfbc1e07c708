import { constants, type Dirent } from 'node:fs'
import { access, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { nearest } from '../../settings/document.ts'
import { readManifest, verifyVariant } from './folder.ts'
import { MANIFEST_FILE, type Manifest } from './manifest.ts'

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
 * Choose what this node serves and verify its file: the model named by `models.serve`, or else the only one there is.
 *
 * @param serve `models.serve` of the configuration
 * @throws EdgeError `MODEL_MISSING` when there is none, no such name, or several and no name; `MODEL_INVALID` when the
 * one to serve is damaged.
 */
export async function pickModel(dir: string, serve: string | null): Promise<ServedModel> {
  const { models, faults } = await loadModels(dir)
  const chosen = choose({ dir, serve, models, faults })
  const { manifest, folder } = chosen
  const [variant] = manifest.variants
  if (variant === undefined) throw new TypeError('a manifest has at least one variant')
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
  }
}

interface Choice {
  readonly dir: string
  readonly serve: string | null
  readonly models: readonly ModelFolder[]
  readonly faults: readonly EdgeError[]
}

function choose({ dir, serve, models, faults }: Choice): ModelFolder {
  const names = models.map((model) => model.manifest.name)
  const fitting = serve === null ? models : models.filter((model) => model.manifest.name === serve)
  const [only, second] = fitting
  if (only !== undefined && second === undefined) return only
  if (only !== undefined && second !== undefined) {
    if (only.manifest.name === second.manifest.name) {
      throw new EdgeError('MODEL_INVALID', {
        message: `${only.folder} and ${second.folder} both hold a model named ${only.manifest.name}`,
        next: ['remove one of the two folders'],
      })
    }
    throw new EdgeError('MODEL_MISSING', {
      message: `${dir} holds several models and models.serve names none`,
      next: [`set models.serve to one of ${names.join(', ')}`],
    })
  }
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
  const near = nearest(serve, names)
  throw new EdgeError('MODEL_MISSING', {
    message: `${dir} holds no model named ${JSON.stringify(serve)}${near === null ? '' : `; did you mean ${near}?`}`,
    next: [
      names.length === 0
        ? `copy the folder of ${JSON.stringify(serve)} into it`
        : `set models.serve to one of ${names.join(', ')}`,
    ],
  })
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
