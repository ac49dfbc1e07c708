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
