import { TerminalSession } from '../../../src/ui/terminal/session.ts'

/** A program that takes the terminal and then ends in the way that its argument names. */
const how = process.argv[2]
const session = new TerminalSession({
  outputFd: 1,
  setRawMode: (raw) => process.stdin.setRawMode(raw),
  onEnd: (signal) => {
    process.stdout.write(`ended by ${signal}\r\n`)
    process.exitCode = 143
    process.stdin.pause()
  },
  onSuspend: () => {},
  onResume: () => process.stdout.write('resumed'),
})
process.stdin.on('data', (data) => {
  const key = data.toString('utf8')
  if (how === 'crash') throw new Error(`crashed on ${key}`)
  if (how === 'reject') void Promise.reject(new Error(`rejected on ${key}`))
  if (how === 'exit') process.exit(7)
  if (how === 'leave') {
    session.leave()
    session.leave()
    session.close()
    process.stdin.pause()
  }
})
session.enter()
session.enter()
process.stdout.write('\x1b[31mon screen')
