import { z } from 'zod'
import { type CommandTable, refused } from './contract.ts'

const id = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/)
const beginSchema = z.looseObject({ id, how: z.enum(['ssh', 'pod']), where: z.string().min(1).max(253) })
const endSchema = z.looseObject({ id })

/** Who has a shell on the node, as far as consoles tell it. */
export interface ShellBook {
  shellBegan(shell: { readonly id: string; readonly by: string }): void
  shellEnded(shell: { readonly id: string; readonly by: string }): void
}

/**
 * `shell.begin {id, how, where}` and `shell.end {id, …}`: an operator's console tells that it has a shell here, over SSH or
 * in a pod, so that the node's own audit and whoever else looks at the node know of it. Nothing is opened or closed by it:
 * the shell goes through sshd or the API server, which judge their own credentials.
 */
export function shellCommands(book: ShellBook) {
  return {
    'shell.begin': (args, by) => {
      const parsed = beginSchema.safeParse(args)
      if (!parsed.success) throw refused('shell.begin needs "id", "how" and "where"', '"how" is ssh or pod')
      book.shellBegan({ id: parsed.data.id, by: by.name })
      return {}
    },
    'shell.end': (args, by) => {
      const parsed = endSchema.safeParse(args)
      if (!parsed.success) throw refused('shell.end needs "id"', 'give that of its shell.begin')
      book.shellEnded({ id: parsed.data.id, by: by.name })
      return {}
    },
  } satisfies CommandTable
}
