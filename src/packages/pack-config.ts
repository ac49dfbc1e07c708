import { readFile } from 'node:fs/promises'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { CONFIG_FILE, MAX_CONFIG_BYTES } from '../../protocol/package.ts'
import { describeFault, parseYaml } from '../../settings/document.ts'
import { packSoleFile } from './pack-sole-file.ts'

/** What a package of configuration is made of. */
export interface ConfigWish {
  /** YAML over the settings that a daemon takes while it runs. */
  readonly file: string
  readonly name: string
  readonly version: string
  /** Null for `./NAME-VERSION`. */
  readonly out: string | null
}

/**
 * Make a package of configuration, without signatures. That the file is YAML is seen here; whether each setting may be set
 * so is the node's to say, before it takes it.
 * @returns its folder
 * @throws EdgeError `CONFIG_UNREADABLE`, `CONFIG_INVALID`, `PACKAGE_INVALID` for a name that is none, `OUTPUT_REFUSED`
 */
export async function packConfig({ file, name, version, out }: ConfigWish): Promise<string> {
  const content = await readSettings(file)
  const parsed = parseYaml(content.toString())
  if (!parsed.ok) {
    throw new EdgeError('CONFIG_INVALID', {
      message: parsed.faults.map((fault) => describeFault(file, fault)).join('\n'),
      next: ['correct the lines named above'],
    })
  }
  return packSoleFile({ kind: 'config', name, version, out }, CONFIG_FILE, [content])
}

async function readSettings(file: string): Promise<Buffer> {
  let content: Buffer
  try {
    content = await readFile(file)
  } catch (error) {
    throw new EdgeError('CONFIG_UNREADABLE', {
      message: `${file} cannot be read: ${messageOf(error)}`,
      next: ['name a YAML file with the settings to roll out'],
      cause: error,
    })
  }
  if (content.length <= MAX_CONFIG_BYTES) return content
  throw new EdgeError('CONFIG_INVALID', {
    message: `${file} has ${content.length} bytes, and a node reads at most ${MAX_CONFIG_BYTES}`,
    next: ['make it shorter'],
  })
}
