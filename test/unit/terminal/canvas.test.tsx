import '../../../src/ui/terminal/full-colour.ts'
import { Box, render, Text } from 'ink'
import { useState } from 'react'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Compositor } from '../../../src/ui/terminal/compositor.ts'
import { InputRouter } from '../../../src/ui/terminal/input-router.ts'
import type { Line, Size } from '../../../src/ui/terminal/line.ts'
import { PLAIN } from '../../../src/ui/terminal/style.ts'
import { Canvas, CompositorContext } from '../../../src/ui/widgets/canvas.tsx'
import { Emulator } from '../../support/emulator.ts'
import { FakeInput } from '../../support/fake-input.ts'

const row = (text: string): Line => [{ text, style: PLAIN }]

describe('canvas', () => {
  let emulator: Emulator
  let compositor: Compositor
  let router: InputRouter

  beforeEach(() => {
    emulator = new Emulator(40, 10)
    compositor = new Compositor({ screen: emulator, depth: 'true' })
    compositor.start()
    router = new InputRouter({ terminal: new FakeInput() })
    router.start()
  })
  afterEach(() => {
    compositor.stop()
    router.stop()
    emulator.dispose()
  })

  function show(node: React.ReactNode) {
    return render(<CompositorContext value={compositor}>{node}</CompositorContext>, {
      stdout: compositor as unknown as NodeJS.WriteStream,
      stdin: router.ink as unknown as NodeJS.ReadStream,
      debug: true,
      patchConsole: false,
      exitOnCtrlC: false,
      interactive: true,
    })
  }

  it('paints in the place that Ink gave it, and repaints without a render', async () => {
    let text = 'first'
    let repaint = () => {}
    let renders = 0
    const sizes: Size[] = []
    const subscribe = (listener: () => void) => {
      repaint = listener
      return () => {}
    }
    function App() {
      renders += 1
      return (
        <Box flexDirection="column" width={40} height={10}>
          <Text>top</Text>
          <Box borderStyle="round" flexGrow={1}>
            <Canvas
              flexGrow={1}
              subscribe={subscribe}
              paint={(size) => {
                sizes.push(size)
                return [row(text), row('中文 second')]
              }}
            />
          </Box>
        </Box>
      )
    }
    const app = show(<App />)
    await emulator.until((screen) => screen.includes('first'))
    expect(emulator.text()[2]?.startsWith('│first')).toBe(true)
    expect(emulator.text()[3]).toBe(`│中文 second${' '.repeat(27)}│`)
    expect(sizes[0]).toEqual({ columns: 38, rows: 7 })
    expect(emulator.cell(5, 5).bg).toBe('default')
    text = 'again'
    repaint()
    await emulator.until((screen) => screen.includes('again'))
    expect(renders).toBe(1)
    app.unmount()
  })

  it('lies under a dialog of Ink and comes back when it closes', async () => {
    let setOpen = (_open: boolean) => {}
    function App() {
      const [open, set] = useState(false)
      setOpen = set
      return (
        <Box width={40} height={10}>
          <Canvas flexGrow={1} paint={({ rows }) => Array.from({ length: rows }, () => row('canvas '.repeat(5)))} />
          {open && (
            <Box
              position="absolute"
              marginLeft={5}
              marginTop={2}
              width={20}
              height={3}
              borderStyle="single"
              backgroundColor="#000080"
            >
              <Text>Really?</Text>
            </Box>
          )}
        </Box>
      )
    }
    const app = show(<App />)
    await emulator.until((screen) => screen.includes('canvas'))
    setOpen(true)
    await emulator.until((screen) => screen.includes('Really?'))
    expect(emulator.text()[3]).toBe('canva│Really?           │as canvas')
    expect(emulator.cell(3, 15).bg).toBe('rgb:000080')
    setOpen(false)
    await emulator.until((screen) => !screen.includes('Really?'))
    expect(emulator.text()[3]).toBe('canvas '.repeat(5).trimEnd())
    app.unmount()
  })

  it('follows a resize at once, in one frame', async () => {
    function App() {
      return (
        <Box width="100%" height={6} borderStyle="single">
          <Canvas
            flexGrow={1}
            paint={({ columns, rows }) => Array.from({ length: rows }, () => row('x'.repeat(columns)))}
          />
        </Box>
      )
    }
    const app = show(<App />)
    await emulator.until((screen) => screen.includes(`│${'x'.repeat(38)}│`))
    emulator.resize(60, 8)
    await emulator.until((screen) => screen.includes(`│${'x'.repeat(58)}│`))
    emulator.resize(20, 8)
    await emulator.until((screen) => screen.includes(`│${'x'.repeat(18)}│`))
    expect(emulator.text()[7]).toBe('')
    app.unmount()
  })
})
