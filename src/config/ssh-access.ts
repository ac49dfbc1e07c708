import { z } from 'zod'
import { readSshDestination } from './ssh-destination.ts'

/** How the nodes of a context are reached over SSH where they do not say so themselves. */
export interface SshAccess {
  /** Where a node that is known by its name alone is, such as `{node}.plant.example`; null where no rule holds. */
  readonly host: string | null
  /** Whom to log in as; null = as OpenSSH's files say. */
  readonly user: string | null
  /** A configuration of OpenSSH's client in place of `~/.ssh/config` and the machine's; absolute, from `~/`, or beside ours. */
  readonly config: string | null
  /** The file of known host keys in place of `~/.ssh/known_hosts`; named as {@link config}. */
  readonly knownHosts: string | null
}

/** What may stand in the section. */
export const SSH_KEYS = ['host', 'user', 'config', 'knownHosts'] as const

const host = z.string().superRefine((text, context) => {
  const example = text.replaceAll('{node}', 'node').replaceAll('{site}', 'site')
  const message = !text.includes('{node}')
    ? 'expected a rule with the node\'s name in it, such as "{node}.plant.example"'
    : typeof readSshDestination(example) === 'string'
      ? 'expected a rule such as "{node}.plant.example", also with "user@" before and ":port" behind it'
      : null
  if (message !== null) context.addIssue({ code: 'custom', message })
})

const user = z.string().superRefine((text, context) => {
  if (typeof readSshDestination(`${text}@host`) === 'string') {
    context.addIssue({ code: 'custom', message: 'expected the name of a user' })
  }
})

/** The section `ssh` of a context. */
export const sshAccess = z.strictObject({
  host: host.nullable().default(null),
  user: user.nullable().default(null),
  config: z.string().min(1).nullable().default(null),
  knownHosts: z.string().min(1).nullable().default(null),
})
