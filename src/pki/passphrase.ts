import { EdgeError } from '../../protocol/errors.ts'
import { readText } from './durable-file.ts'
import { MIN_PASSPHRASE_CHARS } from './sealed-key.ts'

/** Where a passphrase may come from; never from the command line, which everybody on the machine can read. */
export interface PassphraseSource {
  /** First line of this file. */
  readonly file: string | null
  /** Value of the environment variable. */
  readonly env: string | undefined
  /** Ask on the terminal without showing what is typed; null where there is none. */
  readonly ask: ((question: string) => Promise<string>) | null
}

/** Name of the environment variable. */
export const PASSPHRASE_VARIABLE = 'EDGEDECK_PASSPHRASE'

/**
 * The passphrase of an existing key. @throws EdgeError `PASSPHRASE_WRONG` when there is none to be had, `PKI_UNUSABLE` when
 * its file cannot be read or is open to others
 */
export async function passphraseOf(source: PassphraseSource, what: string): Promise<string> {
  const given = givenBy(source)
  if (given !== null) return given
  if (source.ask === null) throw missing(what)
  return source.ask(`Passphrase of ${what}: `)
}

/**
 * A passphrase for a new key: asked for twice, and long enough. @throws EdgeError as {@link passphraseOf}
 */
export async function newPassphrase(source: PassphraseSource, what: string): Promise<string> {
  const given = givenBy(source)
  if (given === null && source.ask === null) throw missing(what)
  const passphrase = given ?? (await source.ask?.(`New passphrase for ${what}: `)) ?? ''
  if ([...passphrase].length < MIN_PASSPHRASE_CHARS) {
    throw new EdgeError('PASSPHRASE_WRONG', {
      message: `a passphrase needs ${MIN_PASSPHRASE_CHARS} characters or more: who gets the file can guess for years`,
      next: ['take four or five words that do not belong together'],
    })
  }
  if (given === null && (await source.ask?.('The same again: ')) !== passphrase) {
    throw new EdgeError('PASSPHRASE_WRONG', { message: 'the two passphrases differ', next: ['run the command again'] })
  }
  return passphrase
}

function givenBy({ file, env }: PassphraseSource): string | null {
  if (file === null) return env === undefined || env === '' ? null : env
  const [line = ''] = (readText(file, { secret: true }) ?? '').split(/\r?\n/)
  if (line !== '') return line
  throw new EdgeError('PASSPHRASE_WRONG', {
    message: `${file} holds no passphrase`,
    next: ['write it on its first line'],
  })
}

function missing(what: string): EdgeError {
  return new EdgeError('PASSPHRASE_WRONG', {
    message: `the passphrase of ${what} is needed, and there is no terminal to ask on`,
    next: ['name a file that only you can read with --passphrase-file', `or set ${PASSPHRASE_VARIABLE}`],
  })
}
