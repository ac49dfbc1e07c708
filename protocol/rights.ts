/** What a person or program may do at most: look, act on nodes, or change how the fleet is run (requirement S3). */
export const ROLES = ['viewer', 'operator', 'admin'] as const
/** @see ROLES */
export type Role = (typeof ROLES)[number]

/** What a role alone does not give: `data` to see pictures that devices sent, `shell` to run commands on a node. */
export const PERMISSIONS = ['data', 'shell'] as const
/** @see PERMISSIONS */
export type Permission = (typeof PERMISSIONS)[number]

/** What somebody may do, and where. */
export interface Rights {
  readonly role: Role
  readonly permissions: readonly Permission[]
  /** Sites by name; `*` for all of them. */
  readonly sites: '*' | readonly string[]
}

/** What a request asks of whoever makes it. */
export interface Need {
  readonly role: Role
  readonly permission?: Permission
  /** A command that changes something: it must be signed by who wants it, and is written to the audit before it is done. */
  readonly changes: boolean
  /** A controller may send it in its own name with an operator's mandate (`protocol/change.ts`) in the arguments. */
  readonly mandated?: true
}

const looking = { role: 'viewer', changes: false } as const satisfies Need
const acting = { role: 'operator', changes: true } as const satisfies Need
const rolling = { ...acting, mandated: true } as const satisfies Need

/**
 * Every verb of a node and what it asks for: the one matrix that the daemon enforces and the console reads. A verb that
 * is not here is known to nobody.
 */
export const VERBS = {
  'change.stage': rolling,
  'change.shadow': rolling,
  'change.activate': rolling,
  'change.confirm': rolling,
  'change.revert': rolling,
  'change.end': rolling,
  'fault.slow': acting,
  'package.offer': acting,
  // What is put was offered before, and is named by its content.
  'package.put': { role: 'operator', changes: false },
  resend: acting,
  'resend.status': looking,
  'shell.begin': { role: 'operator', permission: 'shell', changes: true },
  'shell.end': { role: 'operator', permission: 'shell', changes: true },
} as const satisfies Record<string, Need>
/** @see VERBS */
export type Verb = keyof typeof VERBS

/** What may be asked of a node beside verbs, by the kind of frame. */
export const REQUESTS = {
  subscribe: looking,
  read: looking,
  tally: looking,
  fetch: { role: 'viewer', permission: 'data', changes: false },
} as const satisfies Record<string, Need>

/** Whether a text names a verb. */
export function isVerb(text: string): text is Verb {
  return Object.hasOwn(VERBS, text)
}

/**
 * The first right that is missing for a request at a site, as a phrase for messages ("the role operator"); null when
 * nothing is.
 */
export function missingRight(rights: Rights, need: Need, site: string): string | null {
  if (rights.sites !== '*' && !rights.sites.includes(site)) return `the site ${site}`
  if (ROLES.indexOf(rights.role) < ROLES.indexOf(need.role)) return `the role ${need.role}`
  if (need.permission !== undefined && !rights.permissions.includes(need.permission)) {
    return `the permission ${need.permission}`
  }
  return null
}
