import { expect, test } from 'vitest'
import { parseNodeFlag } from '../../../src/link/directory.ts'

test('holds the site of a node on the command line apart from its name, where a certificate proves both', () => {
  const url = 'wss://10.0.0.4:5443/live'
  expect(parseNodeFlag('plant-a/press-4=wss://10.0.0.4:5443')).toEqual({ key: 'press-4', site: 'plant-a', url })
  expect(parseNodeFlag('press-4=wss://10.0.0.4:5443')).toEqual({ key: 'press-4', url })
  expect(parseNodeFlag('a/b=ws://127.0.0.1:5443')).toMatchObject({ key: 'a/b' })
})
