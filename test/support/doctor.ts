import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { diagnose } from '../../src/commands/doctor.ts'
import { chooseContext, parseConsoleConfig } from '../../src/config/console-config.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { IdentityFolder } from '../../src/identity/identity-source.ts'
import { readOperatorBus } from '../../src/identity/operator-bus-access.ts'
import { operatorBus } from '../../src/link/operator-bus.ts'

/** What `edgedeck doctor` finds with a configuration as a person writes it, and the identity in a folder. */
export async function doctor(
  config: string,
  { identityDir, names = [], nowMs }: { identityDir: string; names?: readonly string[]; nowMs?: number },
): Promise<readonly Finding[]> {
  mkdirSync(identityDir, { recursive: true })
  const configFile = join(identityDir, 'config.yaml')
  writeFileSync(configFile, config)
  const identity = new IdentityFolder(identityDir)
  const load = () => {
    const context = chooseContext(parseConsoleConfig(config, configFile), null)
    const { nats, nodes, clouds } = context
    const access = () =>
      readOperatorBus({ nats: nats ?? { credentials: null, ca: null }, configFile, identityDir, identity })
    const bus = nats && operatorBus({ servers: nats.servers, access, identity })
    return { context, configFile, nodes, clouds, access: { version: '0', identity, ...(bus === null ? {} : { bus }) } }
  }
  const shiftMs = nowMs === undefined ? 0 : nowMs - Date.now()
  const place = { load, identityDir: () => identityDir, columns: 80, ascii: false, now: () => Date.now() + shiftMs }
  const task = { names, format: 'table', timeoutMs: 30_000 } as const
  return diagnose(task, place, new AbortController().signal)
}

/** What is not well, a line each: `area check: what → cure`. */
export function troubles(findings: readonly Finding[]): string[] {
  return findings
    .filter(({ state }) => state !== 'ok' && state !== 'note')
    .map(({ area, check, found, cure }) => `${area} ${check}: ${found} → ${cure ?? ''}`)
}
