import { fileURLToPath } from 'node:url'
import { settingPaths, variableOf } from '../edge-daemon/config/load.ts'
import { ERROR_CODES } from '../protocol/errors.ts'
import { pathsOf } from '../settings/table.ts'
import { showKey } from '../src/actions/keymap.ts'
import { loadKeymap } from '../src/actions/keymap-file.ts'
import { ACTION_IDS, actionOf } from '../src/actions/table.ts'
import { CONTROLLER_SETTINGS, controllerVariableOf, DEFAULT_CONTROLLER_FILE } from '../src/controller/config.ts'
import type { Portion } from '../src/rollout/contract.ts'
import { DEFAULT_STRATEGY, STRATEGY_KEYS } from '../src/rollout/strategy.ts'

/** The pages under `docs/` that are written from code, by path from the root. */
export function generatedDocs(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/errors.md', errorsPage()],
    ['docs/keys.md', keysPage()],
    ['docs/settings.md', settingsPage()],
    ['docs/strategy.md', strategyPage()],
  ])
}

const NOTICE = '<!-- Written by `npm run docs` from the code; edit there. -->\n'

function errorsPage(): string {
  const rows = Object.entries(ERROR_CODES).map(([code, [kind, meaning]]) => `| \`${code}\` | ${kind} | ${meaning} |`)
  return `${NOTICE}# Error codes

Codes are stable; texts may change. The kind says whose move it is: \`user\` wrote something wrong, \`environment\` refuses
(disk, port, permission), \`peer\` is another process that misbehaves, \`bug\` is ours.

| code | kind | meaning |
|---|---|---|
${rows.join('\n')}
`
}

function keysPage(): string {
  const defaultFile = fileURLToPath(new URL('../keymaps/default.yaml', import.meta.url))
  const { keymap } = loadKeymap({ defaultFile, userFile: null })
  const rows = ACTION_IDS.map(actionOf).map(({ id, title, description, contexts }) => {
    const keys = keymap.keysOf(id).map((key) => `\`${showKey(key)}\``)
    return `| ${keys.join(' ')} | \`${id}\` | ${contexts.join(', ')} | ${title}: ${description} |`
  })
  return `${NOTICE}# Keys of the console

Your own key map, \`$XDG_CONFIG_HOME/edgedeck/keymap.yaml\`, lies over these: name an action to give it other keys, or \`null\`
to take its keys away. A line that cannot be used is reported on the screen and the others are kept.

\`\`\`yaml
bindings:
  view.sort: s
  app.quit: [q, ctrl-q]
  demo.kill: null
\`\`\`

| keys | action | where | what it does |
|---|---|---|---|
${rows.join('\n')}
`
}

function strategyPage(): string {
  const { canary, siteBudget, waves, ...preset } = DEFAULT_STRATEGY
  const portion = (given: Portion): string => ('count' in given ? `${given.count}` : `"${given.percent}%"`)
  const shown: Readonly<Record<keyof typeof STRATEGY_KEYS, unknown>> = {
    ...preset,
    canary: canary.kind,
    waves: `[${waves.map(portion).join(', ')}]`,
    siteBudget: portion(siteBudget),
    soak: `${preset.soakSec}s`,
    maxSoak: `${preset.maxSoakSec}s`,
    confirmWithin: `${preset.confirmWithinSec}s`,
    dark: `${preset.darkSec}s`,
    deferredFor: `${preset.deferredForSec}s`,
  }
  const rows = Object.entries(STRATEGY_KEYS).map(([key, meaning]) => {
    const value = shown[key as keyof typeof STRATEGY_KEYS]
    return `| \`${key}\` | \`${typeof value === 'string' ? value : JSON.stringify(value)}\` | ${meaning} |`
  })
  return `${NOTICE}# Strategy of a rollout

What \`edgedeck rollout start --strategy FILE\` reads (YAML), and \`--set KEY=VALUE\` sets singly, also below a key
(\`--set gates.maxSlowPct=5\`). Everything may be left out. Durations have a unit; shares are percent.

| key | default | meaning |
|---|---|---|
${rows.join('\n')}
`
}

function settingsPage(): string {
  const rows = settingPaths().map(({ path, setting }) => {
    const preset = path === 'node.name' ? 'the host name' : `\`${setting.kind.show(setting.preset)}\``
    return `| \`${path}\` | ${preset} | \`${variableOf(path)}\` | ${setting.about} |`
  })
  const controllerRows = pathsOf(CONTROLLER_SETTINGS).map(({ path, setting }) => {
    return `| \`${path}\` | \`${setting.kind.show(setting.preset)}\` | \`${controllerVariableOf(path)}\` | ${setting.about} |`
  })
  return `${NOTICE}# Settings of edge-daemon

Durations are written \`500ms\`, \`30s\`, \`5m\`, \`24h\`, \`7d\`; sizes \`512B\`, \`64KB\`, \`10MB\`, \`2GB\` (or \`KiB\`, \`MiB\`, \`GiB\`).
The command line beats the environment, which beats the file; \`edge-daemon --print-config\` shows what is in force and from where.

| key | default | variable | meaning |
|---|---|---|---|
${rows.join('\n')}

# Settings of the controller

Read from \`${DEFAULT_CONTROLLER_FILE}\`, or what \`edgedeck controller --config\` names; \`--print-config\` shows what is in force.

| key | default | variable | meaning |
|---|---|---|---|
${controllerRows.join('\n')}
`
}
