import type { OpenedPackage } from '../../packages/model-package.ts'
import { modelOf, type ServedModel } from './models.ts'

export { type OpenedPackage, type OpenOptions, openPackage } from '../../packages/model-package.ts'

/** A variant of an opened package as it is served; without a name its first one. @throws EdgeError when there is no such variant. */
export async function packagedModel({ folder, manifest }: OpenedPackage, variant?: string): Promise<ServedModel> {
  return modelOf({ folder, manifest }, variant)
}
