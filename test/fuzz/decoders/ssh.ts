import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { hostAndPort, readSshDestination, type SshDestination } from '../../../src/config/ssh-destination.ts'
import { parseSshConfig } from '../../../src/ssh/config-file.ts'
import { readPublicPart } from '../../../src/ssh/key-file.ts'
import { judgeHostKey, type KnownHost, linesAbout, parseKnownHosts } from '../../../src/ssh/known-hosts.ts'
import { resolveTarget } from '../../../src/ssh/resolve.ts'
import type { SshTarget } from '../../../src/ssh/target.ts'
import { SshKeys } from '../../support/ssh-keys.ts'
import type { Decoder } from '../decoder.ts'

const PLACE = { file: 'config', folder: '/none', home: '/none', isOwn: true, mustExist: true }
const CONFIG = `
Host n? !n9 *.plant.example
  HostName %h.internal
  User = ops
  Port 2222
  IdentityFile "~/keys/%r at %h"
  UserKnownHostsFile ~/a "/b c" none
  ProxyJump mia@gate:2200,[2001:db8::1]:22
  StrictHostKeyChecking accept-new # as it comes
Match originalhost n1,n2 user !root
  ConnectTimeout 1m30s
  ServerAliveInterval=5
`

/** What OpenSSH's client reads: its configuration, known keys, keys; and addresses that people type. */
export function sshDecoders(): Decoder[] {
  using keys = new SshKeys()
  const [key, sealed, rsa] = [keys.make('a'), keys.make('b', 'sealed'), keys.make('c', '', 'rsa')]
  const files = [key, sealed, rsa].map(({ file }) => readFileSync(file))
  execFileSync('ssh-keygen', ['-q', '-p', '-m', 'PEM', '-P', '', '-N', '', '-f', rsa.file])
  const [, blob = ''] = key.line.split(' ')
  const known = (names: string): string => `${names} ssh-ed25519 ${blob}`
  const hashed = '|1|JfKTdBh7rNbXkVAQCRp4OQoPfmI=|USECr3SWf1JUPsms5AqfD5QfxkM='
  return [
    {
      name: 'ssh-config',
      samples: [CONFIG, 'Host *\n  User ops\n', 'Match all\n Port 2\n'],
      decode: (text: string) =>
        resolveTarget(
          { user: null, host: 'n1', port: null },
          {
            items: parseSshConfig(text, PLACE),
            home: '/none',
            localUser: 'mia',
            localHost: 'desk',
            userId: 1000,
            env: {},
            knownHosts: null,
          },
        ),
      isTaken: ({ port }: SshTarget) => port > 0,
    },
    {
      name: 'ssh-known-hosts',
      samples: [
        [known('n1,10.0.0.4'), '# a comment', known(hashed), known('@revoked *.old,!new')].join('\n'),
        known('[n1]:2222'),
        known('@cert-authority *'),
      ],
      decode: (text: string) => {
        const entries = parseKnownHosts(text, 'known_hosts')
        linesAbout(entries, 'n1.example')
        judgeHostKey(entries, { name: 'n1.example', port: 2222 }, Buffer.from(blob, 'base64'))
        return entries
      },
      isTaken: (entries: readonly KnownHost[]) => entries.length > 0,
    },
    {
      name: 'ssh-key-file',
      samples: [...files, readFileSync(rsa.file)],
      decode: (bytes: Buffer) => readPublicPart('/none/key', Buffer.from(bytes)),
      isTaken: (read: object | string) => typeof read !== 'string',
    },
    {
      name: 'ssh-destination',
      samples: ['mia@n1.example:2222', '[2001:db8::1]:22', 'ssh://n1'],
      decode: (text: string) => {
        const read = readSshDestination(text)
        if (typeof read === 'string') return read
        const again = readSshDestination(`${read.user ?? 'x'}@${hostAndPort(read.host, read.port ?? 22)}`)
        if (typeof again === 'string' || again.host !== read.host)
          throw new RangeError('an address that is not read again')
        return read
      },
      isTaken: (read: SshDestination | string) => typeof read !== 'string',
    },
  ]
}
