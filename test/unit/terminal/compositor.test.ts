import { afterEach, describe, expect, it } from 'vitest'
import { Compositor } from '../../../src/ui/terminal/compositor.ts'
import type { Line, Place } from '../../../src/ui/terminal/line.ts'
import { type CellStyle, type ColourDepth, PLAIN } from '../../../src/ui/terminal/style.ts'
import { Emulator } from '../../support/emulator.ts'
import { countGraphemes } from '../../support/grapheme-widths.ts'
import { seededRandom } from '../../support/random.ts'

const HOLE = '\x1b[48;2;1;2;3m'
const RED: CellStyle = { fg: '38;2;255;95;95', bg: '', attributes: 1 }
const FAMILY = '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}'

describe('compositor', () => {
  const emulators: Emulator[] = []
  const compositors: Compositor[] = []
  afterEach(() => {
    for (const compositor of compositors.splice(0)) compositor.stop()
    for (const emulator of emulators.splice(0)) emulator.dispose()
  })

  function open(columns: number, rows: number, depth: ColourDepth = 'true') {
    const emulator = screenOf(columns, rows)
    const compositor = new Compositor({ screen: emulator, depth })
    compositors.push(compositor)
    compositor.start()
    return { emulator, compositor }
  }

  function screenOf(columns: number, rows: number): Emulator {
    const emulator = new Emulator(columns, rows)
    emulators.push(emulator)
    emulator.write('\x1b[?7l')
    return emulator
  }

  /** A pane at a place whose lines a test sets. */
  function paneAt(place: Place, lines: readonly Line[]) {
    const state = { place: place as Place | null, lines }
    return { state, pane: { place: () => state.place, paint: () => state.lines } }
  }

  it('shows random frames with panes, wide characters, styles and resizes as a direct render shows them, cell for cell', async () => {
    const random = seededRandom(20_261_122)
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
    const words = ['node', 'plant-a ', '中文', '节点', '─│╭', '⣿⣀', 'e\u0301', '한국', ' ', '   ', 'x']
    const looks = [
      '',
      '\x1b[1m',
      '\x1b[31m',
      '\x1b[38;5;208m',
      '\x1b[48;2;20;30;40m',
      '\x1b[2;4m',
      '\x1b[7m',
      '\x1b[0m',
    ]
    // Short enough for the narrowest screen: Ink never writes more than fits.
    const randomText = () => Array.from({ length: 1 + Math.floor(random() * 2) }, () => pick(words)).join('')
    let { columns, rows } = { columns: 60, rows: 16 }
    const { emulator, compositor } = open(columns, rows)
    const styles: CellStyle[] = [
      PLAIN,
      RED,
      { fg: '32', bg: '44', attributes: 8 },
      { fg: '', bg: '48;5;17', attributes: 18 },
    ]
    const { state, pane } = paneAt({ x: 10, y: 3, columns: 30, rows: 6 }, [])
    const handle = compositor.attach(pane)
    for (let round = 0; round < 80; round += 1) {
      if (round % 20 === 19) {
        columns = 40 + Math.floor(random() * 50)
        rows = 12 + Math.floor(random() * 12)
        emulator.resize(columns, rows)
      }
      const place = { x: Math.floor(random() * 12), y: Math.floor(random() * 4), columns: 26, rows: 6 }
      const lines = Array.from({ length: 6 }, () => [
        { text: randomText(), style: pick(styles) },
        { text: randomText(), style: pick(styles) },
      ])
      const ink = Array.from(
        { length: rows },
        () => `${pick(looks)}${randomText()}${pick(looks)}${randomText()}\x1b[0m`,
      )
      state.place = place
      state.lines = lines
      // Ink leaves a hole of the pane's size; the rest of these rows is its own.
      const inkRows = ink.map((text, row) =>
        row >= place.y && row < place.y + place.rows
          ? `${'<'.repeat(place.x)}${HOLE}${' '.repeat(place.columns)}\x1b[49m>`
          : text,
      )
      compositor.write(inkRows.join('\n'))
      handle.invalidate()
      await emulator.settle()

      const direct = screenOf(columns, rows)
      for (const [row, text] of inkRows.entries()) direct.write(`\x1b[${row + 1}H${text.replace(HOLE, '')}\x1b[0m`)
      for (const [row, line] of lines.entries()) drawDirect(direct, place, row, line)
      await direct.settle()
      expect(emulator.cells(), `round ${round}`).toEqual(direct.cells())
    }
  })

  it('keeps what follows an emoji in its column, whatever the terminal thinks of emoji', async () => {
    for (const modern of [false, true]) {
      const { emulator, compositor } = open(30, 3)
      if (modern) countGraphemes(emulator.terminal)
      const emoji = ['\u{1f600}', FAMILY, '\u{1f1e8}\u{1f1f3}', '\u2764\ufe0f', '\u{1f44d}\u{1f3fd}']
      const rows = () => emulator.text().map((text) => [...text].at(-1))
      for (const [index, one] of [...emoji, ...emoji.slice().reverse()].entries()) {
        compositor.write(`|${one}${one}end${index}|\n中文${one}|\n`)
        await emulator.settle()
        expect(emulator.cell(0, 5).text).toBe('e')
        expect(emulator.cell(0, 9).text).toBe('|')
        expect(emulator.cell(1, 6).text).toBe('|')
        expect(rows().slice(0, 2)).toEqual(['|', '|'])
      }
      compositor.write('|plain  end|\nplain |\n')
      await emulator.settle()
      expect(emulator.text()).toEqual(['|plain  end|', 'plain |', ''])
    }
  })

  it('agrees cell for cell with a terminal that counts graphemes', async () => {
    const { emulator, compositor } = open(30, 2)
    countGraphemes(emulator.terminal)
    const text = `a${FAMILY}b\u{1f1e8}\u{1f1f3}c\u{1f44d}\u{1f3fd}d\u2764\ufe0fe中`
    compositor.write(`${text}\n`)
    await emulator.settle()
    const direct = screenOf(30, 2)
    countGraphemes(direct.terminal)
    direct.write(text)
    await direct.settle()
    expect(emulator.cells()).toEqual(direct.cells())
  })

  it('never writes what hostile text tells a terminal to do', async () => {
    const hostile = [
      '\x1b[2J\x1b[1;1Hgone',
      '\x1b]0;title\x07\x1b]52;c;aGk=\x07',
      '\u009b31m\x1bP+q544e\x1b\\',
      'a\r\nb\tc\x00d\x7f',
      '\u202egnp.exe\u2066',
      `z${'\u0301'.repeat(200)}`,
      '\ud800\udfffx\udc00',
    ]
    const { emulator, compositor } = open(40, 10)
    const { pane } = paneAt(
      { x: 0, y: 0, columns: 40, rows: 8 },
      hostile.map((text) => [{ text, style: PLAIN }]),
    )
    compositor.attach(pane)
    compositor.write(Array.from({ length: 10 }, () => `${HOLE}${' '.repeat(40)}\x1b[49m`).join('\n'))
    await emulator.settle()
    const ours = /\x1b\[(?:[\d;]*[mHCJKr]|\?(?:2026[hl]|7l))/g
    const rest = emulator.output.replace(ours, '')
    expect(rest).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]/u)
    expect(emulator.text()[0]).toBe('␛[2J␛[1;1Hgone')
    expect(emulator.text()[4]).toContain('·gnp.exe·')
  })

  it('drops from frames of Ink every sequence that is not a colour or an attribute', async () => {
    const { emulator, compositor } = open(30, 3)
    compositor.write('a\x1b[2Jb\x1b]8;;http://x\x07c\x1b]8;;\x07\x1b[31md\x1b[0m\x1bce\n\n')
    await emulator.settle()
    expect(emulator.text()[0]).toBe('abcde')
    expect(emulator.output).not.toContain('\x1b]')
    expect(emulator.cell(0, 3).fg).toBe('palette:1')
  })

  it('writes nothing when nothing changed, and only the cells that did', async () => {
    const { emulator, compositor } = open(60, 5)
    compositor.write('one\ntwo\n')
    await emulator.settle()
    const before = compositor.sent.bytes
    compositor.write('one\ntwo\n')
    await emulator.settle()
    expect(compositor.sent.bytes).toBe(before)
    emulator.output = ''
    compositor.write('one\ntwO\n')
    await emulator.settle()
    expect(emulator.output).toBe('\x1b[?2026h\x1b[2;3HO\x1b[?2026l')
  })

  it('scrolls a log that moved up instead of writing it again, and shows what a direct render shows', async () => {
    const { emulator, compositor } = open(60, 14)
    const random = seededRandom(7)
    const log = Array.from(
      { length: 200 },
      (_, index) => `│ ${index} 节点 uplink ${'~'.repeat(random() * 30)}\u{1f600}`,
    )
    let written = 0
    for (let at = 0; at < 60; ) {
      const before = compositor.sent.bytes
      const lines = ['header', `count ${at}`, ...log.slice(at, at + 10), 'status', '']
      compositor.write(lines.join('\n'))
      await emulator.settle()
      written = compositor.sent.bytes - before
      const direct = new Compositor({ screen: screenOf(60, 14), depth: 'true' })
      compositors.push(direct)
      direct.start()
      direct.write(lines.join('\n'))
      const directly = emulators.at(-1) as Emulator
      await directly.settle()
      expect(emulator.cells(), `at ${at}`).toEqual(directly.cells())
      // A jump by one, by a few, and by more than the pane holds.
      at += at % 20 === 19 ? 25 : 1 + (at % 3)
    }
    expect(emulator.output).toContain('\x1b[3;12r')
    expect(written).toBeLessThan(400)
  })

  it('swallows terminal modes that Ink asks for', async () => {
    const { emulator, compositor } = open(20, 3)
    const before = emulator.output
    compositor.write('\x1b[?1049h\x1b[?25l')
    await emulator.settle()
    expect(emulator.output).toBe(before)
  })

  it('calls back for every write, as Ink waits for', async () => {
    const { compositor } = open(20, 3)
    await new Promise<void>((resolve) => compositor.write('frame\n', () => resolve()))
    await new Promise<void>((resolve) => compositor.write('', () => resolve()))
  })

  it('shows colours as far as the terminal has them, and attributes always', async () => {
    const cases: [ColourDepth, string][] = [
      ['true', 'rgb:ff5f5f'],
      ['256', 'palette:203'],
      ['16', 'palette:9'],
      ['none', 'default'],
    ]
    for (const [depth, fg] of cases) {
      const { emulator, compositor } = open(20, 3, depth)
      const { pane } = paneAt({ x: 0, y: 0, columns: 20, rows: 1 }, [[{ text: 'danger', style: RED }]])
      compositor.attach(pane)
      compositor.write(`${HOLE}${' '.repeat(20)}\x1b[0m\n\x1b[32mink\x1b[0m`)
      await emulator.settle()
      expect(emulator.cell(0, 0)).toMatchObject({ text: 'd', fg, bold: true })
      expect(emulator.cell(1, 0).fg).toBe(depth === 'none' ? 'default' : 'palette:2')
      expect(emulator.cell(0, 10)).toMatchObject({ bg: 'default', inverse: false })
    }
  })

  it('shows a blank, not half a character, where something lies on half of a wide one', async () => {
    const { emulator, compositor } = open(20, 2)
    const { pane } = paneAt({ x: 0, y: 0, columns: 10, rows: 1 }, [[{ text: '中文中文中', style: PLAIN }]])
    compositor.attach(pane)
    compositor.write(`${HOLE}   \x1b[49mABC${HOLE}    \x1b[49m\n`)
    await emulator.settle()
    expect(emulator.text()[0]).toBe('中 ABC文中')
  })

  it('paints a pane once a frame however often it is invalidated, and not at all when stopped', async () => {
    const { emulator, compositor } = open(20, 2)
    let paints = 0
    const handle = compositor.attach({
      place: () => ({ x: 0, y: 0, columns: 20, rows: 1 }),
      paint: () => {
        paints += 1
        return [[{ text: `paint ${paints}`, style: PLAIN }]]
      },
    })
    compositor.write(`${HOLE}${' '.repeat(20)}\x1b[49m`)
    await emulator.settle()
    expect(paints).toBe(1)
    for (let index = 0; index < 100; index += 1) handle.invalidate()
    await emulator.settle()
    expect(paints).toBe(2)
    compositor.stop()
    handle.invalidate()
    await emulator.settle()
    expect(paints).toBe(2)
  })

  it('takes a detached pane off the screen', async () => {
    const { emulator, compositor } = open(20, 2)
    const { pane } = paneAt({ x: 0, y: 0, columns: 20, rows: 1 }, [[{ text: 'here', style: PLAIN }]])
    const handle = compositor.attach(pane)
    compositor.write(`${HOLE}${' '.repeat(20)}\x1b[49m`)
    await emulator.until((screen) => screen.includes('here'))
    handle.detach()
    await emulator.until((screen) => !screen.includes('here'))
  })

  it('paints everything anew after another program wrote to the terminal', async () => {
    const { emulator, compositor } = open(20, 3)
    compositor.write('mine\n')
    await emulator.settle()
    emulator.write('\x1b[2J\x1b[Hsomebody else')
    await emulator.settle()
    compositor.repaint()
    await emulator.settle()
    expect(emulator.text()).toEqual(['mine', '', ''])
  })

  it('tells of a resize that happened while it was stopped, and then paints everything', async () => {
    const { emulator, compositor } = open(20, 3)
    let told = 0
    compositor.on('resize', () => {
      told += 1
    })
    compositor.write('mine\n')
    await emulator.settle()
    compositor.stop()
    emulator.write('\x1b[2J\x1b[Hsomebody else')
    emulator.resize(30, 4)
    expect(told).toBe(0)
    compositor.start()
    await emulator.settle()
    expect(told).toBe(1)
    expect(emulator.text()).toEqual(['mine', '', '', ''])
  })

  it('waits while the terminal takes no more, and then shows only the newest', async () => {
    const written: string[] = []
    const listeners = new Map<string, () => void>()
    let full = false
    const compositor = new Compositor({
      screen: {
        columns: 20,
        rows: 2,
        write: (data) => {
          written.push(data)
          return !full
        },
        on: (event, listener) => listeners.set(event, listener),
        off: () => {},
      },
      depth: 'true',
    })
    compositors.push(compositor)
    compositor.start()
    full = true
    compositor.write('zero\n')
    compositor.flush()
    for (const word of ['first', 'second', 'third']) {
      compositor.write(`${word}\n`)
      compositor.flush()
    }
    expect(written).toHaveLength(1)
    full = false
    listeners.get('drain')?.()
    compositor.flush()
    expect(written).toHaveLength(2)
    expect(written[1]).toContain('third')
  })
})

/** One line of a pane written with plain escape sequences at its place. */
function drawDirect(emulator: Emulator, place: Place, row: number, line: Line): void {
  let column = 0
  emulator.write(`\x1b[${place.y + row + 1};${place.x + 1}H\x1b[0m`)
  for (const span of line) {
    const { fg, bg, attributes } = span.style
    const codes = ['0', ...[1, 2, 3, 4, 7, 9].filter((_, bit) => attributes & (1 << bit)), fg, bg].filter(
      (code) => code !== '',
    )
    emulator.write(`\x1b[${codes.join(';')}m`)
    for (const char of span.text.match(/\P{M}\p{M}*/gu) ?? []) {
      const columns = /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3]/u.test(char) ? 2 : 1
      if (column + columns > place.columns) return
      emulator.write(char)
      column += columns
    }
  }
}
