import { PERMISSIONS, type Rights, type Role } from '../../protocol/rights.ts'

/** What `control.localRole` gives to who comes over plain loopback: whoever is on the machine, so permissions go with admin. */
export function localRights(role: Role): Rights {
  return { role, permissions: role === 'admin' ? PERMISSIONS : [], sites: '*' }
}
