import { EdgeError } from '../../protocol/errors.ts'
import { EditedDocument } from '../../settings/edit.ts'
import { parseConsoleConfig } from './console-config.ts'
import { DEFAULT_CONTEXT } from './context.ts'

/** A context as it is written into a configuration; what is left out has its default. */
export interface WrittenContext {
  readonly production?: boolean
  readonly insecure?: boolean
  readonly controller?: string
  readonly nats?: { readonly servers: readonly string[]; readonly ca?: string }
  readonly nodes?: readonly { readonly name: string; readonly site?: string; readonly url?: string }[]
  readonly clouds?: readonly { readonly name: string; readonly servers: readonly string[]; readonly stream?: string }[]
}

/**
 * Text of a configuration with a context added or written anew, and taken as the current one when `isCurrent`. All else stays as a person wrote it.
 * @throws EdgeError `CONFIG_INVALID` when the result would not be read
 */
export function withContext(
  text: string,
  { name, context, isCurrent, file }: { name: string; context: WrittenContext; isCurrent: boolean; file: string },
): string {
  const edited = new EditedDocument(text)
  if (isCurrent) edited.set(['context'], name)
  edited.set(['contexts', name], context)
  return checked(edited.toString(), file)
}

/** Text of a configuration with another current context. @throws EdgeError `USAGE` when there is none of that name */
export function withCurrent(text: string, name: string, file: string): string {
  mustBeThere(text, name, file)
  const edited = new EditedDocument(text)
  edited.set(['context'], name)
  return checked(edited.toString(), file)
}

/** Text of a configuration without a context; that at the top is current then, when it was. @throws EdgeError `USAGE` */
export function withoutContext(text: string, name: string, file: string): string {
  mustBeThere(text, name, file)
  if (name === DEFAULT_CONTEXT) {
    throw new EdgeError('USAGE', {
      message: `the context ${DEFAULT_CONTEXT} is what stands at the top of ${file}`,
      next: ['take its nodes out there'],
    })
  }
  const edited = new EditedDocument(text)
  if (parseConsoleConfig(text, file).context === name) edited.delete(['context'])
  edited.delete(['contexts', name])
  return checked(edited.toString(), file)
}

function mustBeThere(text: string, name: string, file: string): void {
  const names = [DEFAULT_CONTEXT, ...Object.keys(parseConsoleConfig(text, file).contexts)]
  if (names.includes(name)) return
  throw new EdgeError('USAGE', {
    message: `there is no context "${name}"`,
    next: [`the contexts are ${names.join(', ')}`, 'add one: edgedeck context add NAME'],
  })
}

function checked(text: string, file: string): string {
  parseConsoleConfig(text, file)
  return text
}
