import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { describeFault, nearest, readDocument } from '../../settings/document.ts'
import { asBackground, parseColour } from './terminal/colour.ts'
import { ATTRIBUTE, type AttributeName, type CellStyle, over, PLAIN } from './terminal/style.ts'

/** Meanings that a theme gives a look. Panes name these and never a colour. */
export const TOKENS = [
  'text',
  'muted',
  'accent',
  'ok',
  'warning',
  'danger',
  'info',
  'border',
  'borderFocus',
  'title',
  'header',
  'selection',
  'marked',
  'stale',
  'offline',
  'key',
  'match',
  'surface',
  'series1',
  'series2',
  'series3',
  'series4',
  'threshold',
  'replay',
  'replayRule',
] as const
/** One of {@link TOKENS}. */
export type Token = (typeof TOKENS)[number]

const colour = z
  .string()
  .refine((text) => parseColour(text) !== null, { error: 'expected a colour such as "#ff8800", "red" or "brightBlue"' })
const look = z.strictObject({
  fg: colour.optional(),
  bg: colour.optional(),
  attributes: z
    .array(
      z.enum(Object.keys(ATTRIBUTE) as [AttributeName, ...AttributeName[]], {
        error: `expected one of ${Object.keys(ATTRIBUTE).join(', ')}`,
      }),
    )
    .optional(),
})
const themeSchema = z.strictObject({
  name: z.string().min(1).max(64),
  description: z.string().max(256).optional(),
  tokens: z.strictObject(Object.fromEntries(TOKENS.map((token) => [token, look])) as Record<Token, typeof look>),
})
type Look = z.infer<typeof look>

/** A theme ready to draw with. Styles keep their identity, so equal requests cost nothing. */
export interface Theme {
  readonly name: string
  /** Look of a meaning, with further meanings laid over it from left to right. */
  style(token: Token, ...onTop: readonly Token[]): CellStyle
  /** Colours of a meaning for an Ink `Text` or `Box`: hex, or a name that Ink knows; absent is the terminal's own. */
  ink(token: Token): { readonly color?: string; readonly backgroundColor?: string }
}

/** Themes that come with the console. */
export const THEME_NAMES = ['dark', 'light'] as const
/** One of {@link THEME_NAMES}. */
export type ThemeName = (typeof THEME_NAMES)[number]

/** A theme, and what was wrong with the one that was asked for (one line each, with file, line and cure). */
export interface LoadedTheme {
  readonly theme: Theme
  readonly problems: readonly string[]
}

/** Read a theme from YAML text; `file` is for messages only. */
export function parseTheme(text: string, file: string): { theme: Theme | null; problems: string[] } {
  const result = readDocument(text, themeSchema)
  if (result.ok) return { theme: new LoadedLooks(result.value.name, result.value.tokens), problems: [] }
  const problems = result.faults.map((fault) => {
    const typed = fault.path.split('.').at(-1) ?? ''
    const hint = fault.message.startsWith('unknown key') ? nearest(typed, TOKENS) : null
    return describeFault(file, hint ? { ...fault, message: `${fault.message}; did you mean "${hint}"?` } : fault)
  })
  return { theme: null, problems }
}

/**
 * Load a theme by name or from a user's file (anything with a `/` or ending in `.yaml`). A theme that cannot be used is
 * reported and the dark one taken. `themesDir` holds those that come with the console.
 */
export function loadTheme(choice: string, themesDir: string): LoadedTheme {
  const builtIn = (THEME_NAMES as readonly string[]).includes(choice)
  const isFile = choice.includes('/') || /\.ya?ml$/.test(choice)
  if (!builtIn && !isFile) {
    const problem = `theme "${choice}" is not known: take one of ${THEME_NAMES.join(', ')} or the path of a YAML file`
    return { theme: readTheme(`${themesDir}/dark.yaml`).theme ?? PLAIN_THEME, problems: [problem] }
  }
  const read = readTheme(builtIn ? `${themesDir}/${choice}.yaml` : choice)
  if (read.theme) return { theme: read.theme, problems: [] }
  const fallback = choice === 'dark' ? null : readTheme(`${themesDir}/dark.yaml`).theme
  return { theme: fallback ?? PLAIN_THEME, problems: read.problems }
}

function readTheme(file: string): { theme: Theme | null; problems: string[] } {
  try {
    return parseTheme(readFileSync(file, 'utf8'), file)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error'
    return { theme: null, problems: [`${file}: cannot be read (${code}); correct the path of the theme`] }
  }
}

class LoadedLooks implements Theme {
  readonly name: string
  private readonly looks: Readonly<Record<Token, Look>>
  private readonly styles = new Map<string, CellStyle>()

  constructor(name: string, looks: Readonly<Record<Token, Look>>) {
    this.name = name
    this.looks = looks
  }

  style(token: Token, ...onTop: readonly Token[]): CellStyle {
    const key = onTop.length === 0 ? token : `${token}+${onTop.join('+')}`
    let style = this.styles.get(key)
    if (!style) {
      style = [token, ...onTop].map((name) => styleOfLook(this.looks[name])).reduce(over, PLAIN)
      this.styles.set(key, style)
    }
    return style
  }

  ink(token: Token): { readonly color?: string; readonly backgroundColor?: string } {
    const { fg, bg } = this.looks[token]
    return {
      ...(fg && fg !== 'default' ? { color: inkColour(fg) } : {}),
      ...(bg && bg !== 'default' ? { backgroundColor: inkColour(bg) } : {}),
    }
  }
}

/** The theme of last resort: attributes only. */
export const PLAIN_THEME: Theme = new LoadedLooks(
  'plain',
  Object.fromEntries(TOKENS.map((token) => [token, plainLook(token)])) as Record<Token, Look>,
)

function plainLook(token: Token): Look {
  if (token === 'selection' || token === 'replay') return { attributes: ['inverse'] }
  if (token === 'danger' || token === 'title' || token === 'header') return { attributes: ['bold'] }
  return token === 'muted' || token === 'stale' || token === 'offline' ? { attributes: ['dim'] } : {}
}

function styleOfLook(from: Look): CellStyle {
  return {
    fg: from.fg === undefined ? '' : (parseColour(from.fg) ?? ''),
    bg: from.bg === undefined ? '' : asBackground(parseColour(from.bg) ?? ''),
    attributes: (from.attributes ?? []).reduce((bits, name) => bits | ATTRIBUTE[name], 0),
  }
}

function inkColour(text: string): string {
  return text.startsWith('bright') ? `${text.slice(6).toLowerCase()}Bright` : text
}
