import { settingPaths, variableOf } from '../edge-daemon/config/load.ts'
import { ERROR_CODES } from '../protocol/errors.ts'

/** The pages under `docs/` that are written from code, by path from the root. */
export function generatedDocs(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/errors.md', errorsPage()],
    ['docs/settings.md', settingsPage()],
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

function settingsPage(): string {
  const rows = settingPaths().map(({ path, setting }) => {
    const preset = path === 'node.name' ? 'the host name' : `\`${setting.kind.show(setting.preset)}\``
    return `| \`${path}\` | ${preset} | \`${variableOf(path)}\` | ${setting.about} |`
  })
  return `${NOTICE}# Settings of edge-daemon

Durations are written \`500ms\`, \`30s\`, \`5m\`, \`24h\`, \`7d\`; sizes \`512B\`, \`64KB\`, \`10MB\`, \`2GB\` (or \`KiB\`, \`MiB\`, \`GiB\`).
The command line beats the environment, which beats the file; \`edge-daemon --print-config\` shows what is in force and from where.

| key | default | variable | meaning |
|---|---|---|---|
${rows.join('\n')}
`
}
