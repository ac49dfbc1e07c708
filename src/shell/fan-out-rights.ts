import { EdgeError } from '../../protocol/errors.ts'
import { missingRight, type Rights, VERBS } from '../../protocol/rights.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'

/** A node that a command or a shell is to be run on. */
export interface ExecNode {
  /** The operator's name of it. */
  readonly key: string
  /** Null where nobody says it. */
  readonly site: string | null
}

/**
 * See that an operator may run commands and shells on all of these nodes; on some of them alone nothing is run at all.
 * @throws EdgeError `RIGHT_MISSING`
 */
export function mayRunOn(nodes: readonly ExecNode[], rights: Rights): void {
  for (const { key, site } of nodes) {
    if (site === null && rights.sites !== '*') {
      throw new EdgeError('RIGHT_MISSING', {
        message: `your rights are for some sites, and which site ${untrusted(key)} belongs to is not known`,
        next: ['write its "site:" in the configuration, or see that it answers'],
      })
    }
    const missing = missingRight(rights, VERBS['shell.begin'], site ?? '')
    if (missing === null || (site === null && missing.startsWith('the site'))) continue
    throw new EdgeError('RIGHT_MISSING', {
      message: `a command or a shell on ${untrusted(key)} takes ${missing}`,
      next: ['see what you may do with edgedeck whoami, and ask who gives rights out'],
    })
  }
}
