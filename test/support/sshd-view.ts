import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Something that a process sees in another's place. */
export interface Replaced {
  readonly place: string
  readonly by: string
}

/** The beginning of a command line that runs the rest with some places of the machine replaced, for it and its children alone. */
export function viewOf(places: readonly Replaced[]): string[] {
  if (places.length === 0) return []
  const mounts = places.map(({ place, by }) => `mount --bind '${by}' '${place}' && `).join('')
  return ['unshare', '--mount', 'sh', '-c', `${mounts}exec "$@"`, 'sh']
}

/** Users of the machine, of whom `nobody` has a shell and `dir` for a home, which is opened to be read. */
export function nobodyWithShell(dir: string): Replaced {
  const by = join(dir, 'passwd')
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  const changed = lines.map((line) =>
    line.startsWith('nobody:') ? line.replace(/[^:]*:[^:]*$/, `${dir}:/bin/sh`) : line,
  )
  writeFileSync(by, changed.join('\n'))
  chmodSync(dir, 0o755)
  chmodSync(join(dir, 'authorized_keys'), 0o644)
  return { place: '/etc/passwd', by }
}

/** PAM whose service for sshd asks for one thing that must be as given. */
export function pamThatAsks(dir: string, otp: string): Replaced {
  const by = join(dir, 'pam.d')
  const script = join(dir, 'check-otp')
  writeFileSync(script, `#!/bin/sh\n[ "$(tr -d '\\0')" = '${otp}' ]\n`, { mode: 0o755 })
  mkdirSync(by, { recursive: true })
  const service = [
    `auth required pam_exec.so quiet expose_authtok ${script}`,
    'auth required pam_permit.so',
    'account required pam_permit.so',
    'session required pam_permit.so',
  ]
  writeFileSync(join(by, 'sshd'), `${service.join('\n')}\n`)
  return { place: '/etc/pam.d', by }
}
