import { readFileSync } from 'node:fs'
import { loadConfig } from '../../../edge-daemon/config/load.ts'
import { parseExposition } from '../../../edge-daemon/health/exposition.ts'
import { compileExpression } from '../../../edge-daemon/rules/expression.ts'
import { RESULT_VARIABLES } from '../../../edge-daemon/rules/result-rules.ts'
import { LineSearch } from '../../../edge-daemon/search/line-search.ts'
import { manifestSchema } from '../../../protocol/model-manifest.ts'
import { compileRegex } from '../../../regex/linear-regex.ts'
import { compileLogFilter } from '../../../regex/log-matcher.ts'
import { readDocument } from '../../../settings/document.ts'
import { readBindings } from '../../../src/actions/keymap-file.ts'
import { parseConsoleConfig } from '../../../src/config/console-config.ts'
import { parseTheme } from '../../../src/ui/theme.ts'
import type { Decoder } from '../decoder.ts'

function fileOf(path: string): string {
  return readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
}

const DAEMON = `node:
  name: n1
  site: plant-a
upstream:
  nats:
    servers: [nats://127.0.0.1:4222]
filter:
  abnormal:
    - { name: failed, when: result.code != 200 }
    - { name: told, when: "has(result.msg) && result.msg.matches('^E[0-9]+')" }
  metrics:
    - { name: hot, when: host.tempC > 80.0, for: 30s }
store:
  maxBytes: 2GB
`
const CONSOLE = `nodes:
  - name: n1
    url: ws://127.0.0.1:5443/live
`
const KEPT_LINES = Buffer.from(
  `{"seq":1,"node_id":"n1","timestamp":5,"level":"warn","source":"nginx","msg":"a \\"timed out\\" größe","fields":{"camera":7,"host":"x=y"}}
{"seq":2,"node_id":"n1","timestamp":6,"msg":"refused","source":"kubelet","level":"info"}
`,
)
const WHOLE_RANGE = { afterSeq: 0, beforeSeq: 9, fromMs: 0, toMs: 9 }
const EXPOSITION = `# HELP node_load1 1m load average.
# TYPE node_load1 gauge
node_load1 0.21
node_cpu_seconds_total{cpu="0",mode="idle"} 1.5e+06
node_filesystem_size_bytes{device="/dev/sda1",mountpoint="/a \\"b\\" c"} 6.4e10 1395066363000
`

/** What people write, and what is read from files and from other programs of the machine. */
export function fileDecoders(): Decoder[] {
  return [
    {
      name: 'daemon-configuration',
      samples: [DAEMON],
      decode: (text: string) => loadConfig({ file: { name: 'edge-daemon.yaml', text }, env: {}, flags: {} }),
      isTaken: () => true,
    },
    {
      name: 'console-configuration',
      samples: [CONSOLE],
      decode: (text: string) => parseConsoleConfig(text, 'config.yaml'),
      isTaken: () => true,
    },
    {
      name: 'keymap',
      samples: [fileOf('keymaps/default.yaml')],
      decode: (text: string) => readBindings(text, 'keys.yaml'),
      isTaken: () => true,
      share: 0.4,
    },
    {
      name: 'theme',
      samples: [fileOf('themes/dark.yaml')],
      decode: (text: string) => parseTheme(text, 'theme.yaml'),
      isTaken: ({ theme }: { theme: unknown }) => theme !== null,
      share: 0.4,
    },
    {
      name: 'model-manifest',
      samples: [fileOf('models/digits/manifest.json')],
      decode: (text: string) => readDocument(text, manifestSchema),
      isTaken: (read: { ok: boolean }) => read.ok,
    },
    {
      name: 'rule',
      samples: [
        'result.total_ms > 80.0 && result.model.startsWith("digits@")',
        'has(result.msg) && result.msg.lowerAscii().matches("^e[0-9]{3}: (a|b)+$")',
        '!(result.code in [200, 422]) || result.confidence < minConfidence',
      ],
      decode: (source: string) => {
        const compiled = compileExpression(source, RESULT_VARIABLES)
        const result = { code: 200n, total_ms: 1, bytes: 5n, msg: 'E123: aab', model: 'digits@1' }
        if (compiled.ok) compiled.expression.evaluate({ result, minConfidence: 0.5 })
        return compiled
      },
      isTaken: (compiled: { ok: boolean }) => compiled.ok,
    },
    {
      name: 'regular-expression',
      samples: ['(a+)+$', '^E[0-9]{3}: (?i:x|y)*\\pL$', '[^\\x00-\\x7f]+?'],
      decode: (pattern: string) => {
        const compiled = compileRegex(pattern)
        if (compiled.ok) compiled.regex.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!')
        return compiled
      },
      isTaken: (compiled: { ok: boolean }) => compiled.ok,
    },
    {
      name: 'log-filter',
      samples: ['timed out|refused', 'camera=7 (host|port)=.*"x"$', '\\Qa.b\\E[0-9]{2,}\\s', '(?i)größe'],
      decode: (pattern: string) => {
        const compiled = compileLogFilter({
          pattern,
          fields: [{ name: pattern.slice(0, 9), test: '!=', value: pattern }],
        })
        if (compiled.ok) new LineSearch(compiled.matcher).find(KEPT_LINES, WHOLE_RANGE, () => undefined)
        return compiled
      },
      isTaken: (compiled: { ok: boolean }) => compiled.ok,
    },
    {
      name: 'exposition',
      samples: [EXPOSITION],
      decode: (text: string) => parseExposition(text, () => true),
      isTaken: (samples: readonly unknown[]) => samples.length > 0,
    },
  ]
}
