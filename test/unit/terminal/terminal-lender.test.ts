import { expect, onTestFinished, test } from 'vitest'
import { InputRouter } from '../../../src/ui/terminal/input-router.ts'
import { TerminalLender } from '../../../src/ui/terminal/terminal-lender.ts'
import { Emulator } from '../../support/emulator.ts'
import { FakeInput } from '../../support/fake-input.ts'

test('keeps back what a borrower asked the terminal last, also where it answers for the terminal', async () => {
  const emulator = new Emulator(80, 24)
  onTestFinished(() => emulator.dispose())
  const input = new FakeInput()
  const router = new InputRouter({ terminal: input, escapeDelayMs: 5 })
  router.start()
  let keys = ''
  router.ink.on('data', (data: Buffer) => {
    keys += data.toString('utf8')
  })
  // A terminal whose answers are a while on their way.
  emulator.terminal.onData((data) => setTimeout(() => input.type(data), 20))
  const session = { lend: () => undefined, reset: () => undefined, enter: () => undefined, isLent: true }
  const lender = new TerminalLender({ session: session as never, router, output: emulator, painter: null })
  await lender.lend(async (terminal) => {
    terminal.onInput(() => undefined)
    // "Are you well?" first, so that its answer is there before those of the others.
    terminal.write('\x1b[5n\x1b[6n\x1b[c\x1b[>c\x1b]10;?\x07')
    setTimeout(() => input.type('\x1b[0n'), 1)
    setTimeout(() => input.type('quit\r'), 10)
  })
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(keys).toBe('')
  input.type('j')
  await expect.poll(() => keys).toBe('j')
})
