import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Item } from '../../protocol/change.ts'
import { MANIFEST_FILE } from '../../protocol/model-manifest.ts'
import type { DaemonConfig } from '../config/settings.ts'
import { type ModelFolder, modelOf, pickFolder, type ServedModel } from './models.ts'
import { readPackageTrust } from './trust.ts'

/**
 * The folder that this node serves, as its configuration says; its files are not verified where no signature is required.
 * @throws EdgeError of `pickFolder` and `readPackageTrust`
 */
export async function configuredFolder(models: DaemonConfig['models']): Promise<ModelFolder> {
  const signers = await readPackageTrust(models.trust)
  return await pickFolder(models.dir, models.serve, models.requireSignature ? signers : null)
}

/** The model of that folder in its first variant. @throws EdgeError of {@link configuredFolder} and `modelOf` */
export async function configuredModel(models: DaemonConfig['models']): Promise<ServedModel> {
  return await modelOf(await configuredFolder(models))
}

/** A folder that a node was set up with as what a rollout may go back to: its manifest names every file that serves. */
export async function ownItemOf({ folder, manifest: { name, version } }: ModelFolder): Promise<Item> {
  const digest = createHash('sha256')
    .update(await readFile(join(folder, MANIFEST_FILE)))
    .digest('hex')
  return { kind: 'model', name, version, digest, origin: 'node' }
}
