import { expect, test } from 'vitest'
import { readCommandLine } from '../../../src/command-line/command-line.ts'

const read = (line: string) => readCommandLine(line.split(' '), '1.2.3')

test('a token is for the one node that --node names, wherever the flag stands', () => {
  const wanted = { kind: 'pki-token', site: 'plant-a', nodeName: 'press-4', ttlMs: 300_000, replace: true }
  expect(read('pki token --site plant-a --node press-4 --ttl 5m --replace')).toMatchObject(wanted)
  expect(read('--node press-4 pki token --ttl 5m --replace --site plant-a')).toMatchObject(wanted)
  expect(read('pki token --site a --node b --config /c.yaml')).toMatchObject({
    config: '/c.yaml',
    ttlMs: 900_000,
    replace: false,
    passphraseFile: null,
  })
  expect(() => read('pki token --site a')).toThrow('needs one --node NAME')
  expect(() => read('pki token --site a --node b --node c')).toThrow('needs one --node NAME')
  expect(() => read('pki token --node b')).toThrow('--site')
})

test("a node's request is signed for the one node that --node names", () => {
  const task = { what: 'sign', requestFile: 'request.pem', site: 'plant-a', node: 'press-4' }
  expect(read('pki sign request.pem --site plant-a --node press-4')).toMatchObject({ kind: 'pki', task })
  expect(() => read('pki sign request.pem --site plant-a')).toThrow('needs one --node NAME')
})

test('a controller takes its configuration by --config', () => {
  expect(read('controller --config /c.yaml')).toMatchObject({
    kind: 'controller',
    config: '/c.yaml',
    printConfig: false,
  })
  expect(read('controller --print-config')).toMatchObject({ config: null, printConfig: true })
})
