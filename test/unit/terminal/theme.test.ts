import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'
import { lowerStyle } from '../../../src/ui/terminal/colour.ts'
import { ATTRIBUTE } from '../../../src/ui/terminal/style.ts'
import { loadTheme, parseTheme, THEME_NAMES, TOKENS } from '../../../src/ui/theme.ts'

const THEMES = fileURLToPath(new URL('../../../themes', import.meta.url))
const text = (name: string): string => readFileSync(join(THEMES, `${name}.yaml`), 'utf8')

describe('themes', () => {
  it.each(THEME_NAMES)('%s is whole', (name) => {
    expect(loadTheme(name, THEMES)).toMatchObject({ theme: { name }, problems: [] })
  })

  it('lists in the JSON schema the meanings that the console knows, no more and no less', () => {
    const schema = JSON.parse(readFileSync(join(THEMES, 'schema.json'), 'utf8'))
    expect(Object.keys(schema.properties.tokens.properties)).toEqual([...TOKENS])
    expect(schema.properties.tokens.required).toEqual([...TOKENS])
    expect(schema.$defs.look.properties.attributes.items.enum).toEqual(Object.keys(ATTRIBUTE))
  })

  it('can be read: every colour of the light theme on white, of the dark theme on black', () => {
    for (const [name, background] of [
      ['light', '#ffffff'],
      ['dark', '#000000'],
    ] as const) {
      const { tokens } = parse(text(name)) as { tokens: Record<string, { fg?: string; bg?: string }> }
      for (const [token, { fg, bg }] of Object.entries(tokens)) {
        // Borders are no text: 3 is what WCAG 2.2 (1.4.11) asks of them.
        const least = token === 'border' ? 3 : 4.5
        if (fg) expect(contrast(fg, bg ?? background), `${name} ${token}`).toBeGreaterThanOrEqual(least)
      }
    }
  })

  it('marks the selected row without colours too', () => {
    for (const name of THEME_NAMES) {
      const selected = lowerStyle(loadTheme(name, THEMES).theme.style('selection'), 'none')
      expect(selected).toMatchObject({ fg: '', bg: '' })
      expect(selected.attributes & ATTRIBUTE.inverse).toBeTruthy()
    }
  })

  it('lays meanings over each other, and gives the same object for the same question', () => {
    const { theme } = loadTheme('dark', THEMES)
    const both = theme.style('danger', 'selection')
    expect(both.fg).toBe(theme.style('danger').fg)
    expect(both.bg).toBe(theme.style('selection').bg)
    expect(theme.style('danger', 'selection')).toBe(both)
  })

  it('tells what is wrong with a theme, where, and what to write instead', () => {
    const broken = text('dark')
      .replace('accent: { fg: "#5fafff"', 'acent: { fg: "#5fafff"')
      .replace('danger: { fg: "#ff5f5f"', 'danger: { fg: "#ff5f5"')
    const { theme, problems } = parseTheme(broken, 'my.yaml')
    expect(theme).toBeNull()
    expect(problems).toContainEqual(expect.stringMatching(/^my\.yaml:7: tokens\.acent: unknown key.*"accent"/))
    expect(problems).toContainEqual(expect.stringMatching(/^my\.yaml:10: tokens\.danger\.fg: expected a colour/))
  })

  it('takes the dark theme when the one that was asked for cannot be used, and says why', () => {
    const directory = mkdtempSync(join(tmpdir(), 'edgedeck-theme-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const file = join(directory, 'mine.yaml')
    writeFileSync(file, 'name: mine\ntokens: [oops\n')
    for (const [choice, problem] of [
      [file, /mine\.yaml:\d+: /],
      [join(directory, 'absent.yaml'), /cannot be read \(ENOENT\)/],
      ['solarised', /theme "solarised" is not known: take one of dark, light/],
    ] as const) {
      const loaded = loadTheme(choice, THEMES)
      expect(loaded.theme.name).toBe('dark')
      expect(loaded.problems).toHaveLength(1)
      expect(loaded.problems[0]).toMatch(problem)
    }
    writeFileSync(file, text('light').replace('name: light', 'name: mine'))
    expect(loadTheme(file, THEMES)).toMatchObject({ theme: { name: 'mine' }, problems: [] })
  })
})

/** Contrast ratio of WCAG 2.2. */
function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

function luminance(hex: string): number {
  const [red, green, blue] = [1, 3, 5]
    .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
