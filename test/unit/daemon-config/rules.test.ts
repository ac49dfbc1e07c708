import { expect, test } from 'vitest'
import { loadConfig } from '../../../edge-daemon/config/load.ts'
import { EdgeError } from '../../../protocol/errors.ts'

function load(text: string, env: Record<string, string> = {}): ReturnType<typeof loadConfig> {
  return loadConfig({ file: { name: 'd.yaml', text }, env, flags: {} })
}

function faultsOf(text: string, env: Record<string, string> = {}): string[] {
  try {
    load(text, env)
  } catch (error) {
    if (error instanceof EdgeError && error.code === 'CONFIG_INVALID') return error.message.split('\n')
    throw error
  }
  return []
}

/** The character that a fault points to, and a few behind it. */
function pointedAt(text: string): string {
  const match = /^d\.yaml:(\d+):(\d+): /.exec(faultsOf(text)[0] ?? '')
  if (match === null) throw new Error(faultsOf(text).join('\n'))
  return (text.split('\n')[Number(match[1]) - 1] ?? '').slice(Number(match[2]) - 1).slice(0, 8)
}

test('reads rules with their hold time', () => {
  const { config } = load(`filter:
  abnormal:
    - name: slow
      when: result.total_ms > 50.0
  metrics:
    - { name: hot, when: 'host.cpuPct > 50.0', for: 5s }
`)
  expect(config.filter.abnormal).toEqual([{ name: 'slow', when: 'result.total_ms > 50.0', forMs: 0 }])
  expect(config.filter.metrics).toEqual([{ name: 'hot', when: 'host.cpuPct > 50.0', forMs: 5000 }])
})

test.each([
  ['plain', 'filter:\n  abnormal:\n    - name: slow\n      when: result.code > 1 && result.totl > 50\n'],
  ['quoted', 'filter:\n  abnormal:\n    - { name: slow, when: "result.code > 1 && result.totl > 50" }\n'],
  [
    'in a block over lines',
    'filter:\n  abnormal:\n    - name: slow\n      when: |\n        result.code > 1\n          && result.totl > 50\n',
  ],
  [
    'after ünïcödé',
    'filter:\n  abnormal:\n    - {name: slow, when: \'result.msg == "ünïcödé" || result.totl > 50\'}\n',
  ],
])('points to the character of a wrong expression that is written %s', (_, text) => {
  expect(pointedAt(text)).toBe('totl > 5')
})

test('names the line, and the character of the expression, where the file does not say it as it is', () => {
  const folded =
    'filter:\n  abnormal:\n    - name: slow\n      when: >-\n        result.code > 1\n        && result.totl > 50\n'
  expect(faultsOf(folded)[0]).toMatch(/^d\.yaml:4: filter\.abnormal\.0\.when: rule "slow": .*totl.* \(character 27\)$/)
})

test.each([
  ['filter:\n  abnormal: fast\n', 'expected a list of rules'],
  ['filter:\n  abnormal:\n    - slow\n', 'expected a rule'],
  ['filter:\n  abnormal:\n    - when: "true"\n', 'expected a name'],
  ['filter:\n  abnormal:\n    - name: Slow Model\n      when: "true"\n', 'expected a name'],
  ['filter:\n  abnormal:\n    - name: slow\n', 'needs a condition'],
  ['filter:\n  abnormal:\n    - {name: slow, when: "true", for: 3s}\n', 'unknown key'],
  ['filter:\n  abnormal:\n    - {name: rule_error, when: "true"}\n', 'is taken'],
  ['filter:\n  abnormal:\n    - {name: a, when: "true"}\n    - {name: a, when: "true"}\n', 'two rules a'],
  ['filter:\n  metrics:\n    - {name: a, when: "host.cpuPct > 1.0", for: 30}\n', 'a duration'],
  ['filter:\n  metrics:\n    - {name: a, when: "result.code > 1"}\n', 'Unknown variable: result'],
])('refuses %j with its line', (text, message) => {
  const [fault = ''] = faultsOf(text)
  expect(fault).toMatch(/^d\.yaml:\d+/)
  expect(fault).toContain(message)
})

test('takes rules as JSON from a variable, and says where one is wrong there', () => {
  const right = { EDGE_FILTER_ABNORMAL: '[{"name":"slow","when":"result.total_ms > 1.0"}]' }
  expect(load('', right).config.filter.abnormal).toMatchObject([{ name: 'slow' }])
  const wrong = { EDGE_FILTER_ABNORMAL: '[{"name":"slow","when":"result.totl > 1.0"}]' }
  expect(faultsOf('', wrong)[0]).toMatch(/^EDGE_FILTER_ABNORMAL: rule "slow": .*totl.*\(character 8 of 0\.when\)$/)
})
