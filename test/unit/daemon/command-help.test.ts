import { expect, test } from 'vitest'
import { readCommandLine } from '../../../edge-daemon/command-line.ts'

test.each(['join', 'identity', 'keys new', 'rules test'])('%s --help shows how it is used', (command) => {
  expect(readCommandLine([...command.split(' '), '--help'], {})).toEqual({ kind: 'help' })
})
