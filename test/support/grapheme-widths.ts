import type { Terminal } from '@xterm/headless'

/**
 * Teach the emulator to count clusters (emoji with modifiers and joined parts, flags, emoji selectors) as modern
 * terminals do, after UAX #29; by itself it counts code points with the widths of Unicode 6.
 */
export function countGraphemes(terminal: Terminal): void {
  terminal.unicode.register({
    version: 'graphemes',
    wcwidth: columnsOf,
    charProperties: (codePoint, preceding) => {
      const before = unpack(preceding)
      let width: number = columnsOf(codePoint)
      let state = stateOf(codePoint)
      const flag = before.state === STATE.regional && state === STATE.regional
      const joined = before.state === STATE.joiner && state === STATE.pictograph
      const modifier = before.state === STATE.pictograph && codePoint >= 0x1f3fb && codePoint <= 0x1f3ff
      const mark = width === 0 && before.width > 0
      if (!flag && !joined && !modifier && !mark) return pack(state, width, false)
      width = flag || joined || codePoint === 0xfe0f ? 2 : Math.max(width, before.width)
      if (flag) state = STATE.none
      else if (modifier || codePoint === 0xfe0f) state = STATE.pictograph
      else if (codePoint === 0x200d && before.state === STATE.pictograph) state = STATE.joiner
      return pack(state, width as 0 | 1 | 2, true)
    },
  })
  terminal.unicode.activeVersion = 'graphemes'
}

const STATE = { none: 0, pictograph: 1, joiner: 2, regional: 3 } as const

// The packing is that of xterm.js's UnicodeService: state, two bits of width, one of joining.
function pack(state: number, width: number, join: boolean): number {
  return (state << 3) | (width << 1) | (join ? 1 : 0)
}

function unpack(value: number): { state: number; width: number } {
  return { state: value >> 3, width: (value >> 1) & 3 }
}

function stateOf(codePoint: number): number {
  if (codePoint >= 0x1f1e6 && codePoint <= 0x1f1ff) return STATE.regional
  return /^\p{Extended_Pictographic}$/u.test(String.fromCodePoint(codePoint)) ? STATE.pictograph : STATE.none
}

function columnsOf(codePoint: number): 0 | 1 | 2 {
  if (codePoint < 0x300) return 1
  const char = String.fromCodePoint(codePoint)
  if (/^[\p{Mn}\p{Me}\p{Cf}]$/u.test(char)) return 0
  const wide = /^\p{Emoji_Presentation}$/u.test(char) && stateOf(codePoint) !== STATE.regional
  return wide || /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]$/u.test(char)
    ? 2
    : 1
}
