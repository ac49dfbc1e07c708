import { join } from 'node:path'

/** Where the console's own files are looked for. */
export interface ConsolePaths {
  /** `$XDG_CONFIG_HOME/edgedeck/config.yaml`. */
  readonly configFile: string
  /** The user's key map over the default one. */
  readonly keymapFile: string
  /** `$XDG_STATE_HOME/edgedeck/pictures`, for pictures that the operator saves. */
  readonly picturesDir: string
  /** `$XDG_STATE_HOME/edgedeck/logs`, for log lines that the operator saves. */
  readonly logsDir: string
  /** `$XDG_STATE_HOME/edgedeck/identities`, a folder a context. */
  readonly identitiesDir: string
  /** `$XDG_DATA_HOME/edgedeck/pki`, the certificate authorities, a folder a fleet. */
  readonly pkiDir: string
  /** `$XDG_STATE_HOME/edgedeck/audit`, journals of what consoles send. */
  readonly auditDir: string
  /** `$XDG_STATE_HOME/edgedeck/rollouts`, journals of rollouts of fleets without a bus, a folder a context. */
  readonly rolloutsDir: string
  /** `$XDG_STATE_HOME/edgedeck/recordings`, sessions on nodes, a folder a context. */
  readonly recordingsDir: string
}

/** Paths after the XDG base directory specification; a relative one of its variables is ignored, as it asks. */
export function consolePaths(env: Readonly<Record<string, string | undefined>>, home: string): ConsolePaths {
  const xdg = env.XDG_CONFIG_HOME
  const base = join(xdg?.startsWith('/') ? xdg : join(home, '.config'), 'edgedeck')
  const xdgState = env.XDG_STATE_HOME
  const state = join(xdgState?.startsWith('/') ? xdgState : join(home, '.local', 'state'), 'edgedeck')
  const xdgData = env.XDG_DATA_HOME
  return {
    configFile: join(base, 'config.yaml'),
    keymapFile: join(base, 'keymap.yaml'),
    picturesDir: join(state, 'pictures'),
    logsDir: join(state, 'logs'),
    identitiesDir: join(state, 'identities'),
    pkiDir: join(xdgData?.startsWith('/') ? xdgData : join(home, '.local', 'share'), 'edgedeck', 'pki'),
    auditDir: join(state, 'audit'),
    rolloutsDir: join(state, 'rollouts'),
    recordingsDir: join(state, 'recordings'),
  }
}
