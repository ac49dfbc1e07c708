import type { DaemonConfig } from '../config/settings.ts'
import { pickModel, type ServedModel } from './models.ts'
import { readPackageTrust } from './trust.ts'

/** What this node serves of its models folder, as its configuration says. @throws EdgeError of `pickModel` and `readPackageTrust`. */
export async function configuredModel(models: DaemonConfig['models']): Promise<ServedModel> {
  const signers = await readPackageTrust(models.trust)
  return await pickModel(models.dir, models.serve, models.requireSignature ? signers : null)
}
