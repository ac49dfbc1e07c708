import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { doctor } from '../../support/doctor.ts'
import { freePort } from '../../support/free-port.ts'
import { SshKeys } from '../../support/ssh-keys.ts'
import { Sshd } from '../../support/sshd.ts'

it('tries SSH where it is written down: who lets us in, is unknown, changed its key, refuses, or is not there', async () => {
  using keys = new SshKeys()
  const key = keys.make('mia')
  const open = await Sshd.start({ authorized: [key.line] })
  const strict = await Sshd.start()
  await using _both = { [Symbol.asyncDispose]: async () => void (await Promise.all([open.stop(), strict.stop()])) }
  const changed = await freePort()
  const config = join(keys.dir, 'config')
  const hosts = [
    `Host good\n  Port ${open.port}`,
    `Host unknown\n  Port ${open.port}\n  HostKeyAlias never-seen`,
    `Host other\n  Port ${open.port}\n  HostKeyAlias changed`,
    `Host refusing\n  Port ${strict.port}`,
    `Host absent\n  Port ${changed}`,
    `Host *\n  HostName 127.0.0.1\n  IdentityFile ${key.file}\n  IdentityAgent none\n  GlobalKnownHostsFile none`,
  ]
  writeFileSync(config, `${hosts.join('\n')}\n`, { mode: 0o600 })
  writeFileSync(join(keys.dir, 'known'), `${open.knownHosts}${strict.knownHosts}changed ${strict.hostKey()}\n`)
  const names = ['good', 'unknown', 'other', 'refusing', 'absent']
  const nodes = names.map((name) => `  - {name: ${name}, url: "ws://127.0.0.1:${changed}", ssh: ${name}}\n`).join('')
  const yaml = `nodes:\n${nodes}  - {name: silent, url: "ws://127.0.0.1:${changed}"}\nssh: {config: ${config}, knownHosts: ${keys.dir}/known}\n`
  const findings = await doctor(yaml, { identityDir: join(keys.dir, 'identity') })
  const said = findings.filter(({ check }) => check === 'ssh')
  expect(said.map(({ subject, state }) => [subject, state])).toEqual([
    ['good', 'ok'],
    ['unknown', 'note'],
    ['other', 'fault'],
    ['refusing', 'warning'],
    ['absent', 'fault'],
  ])
  const found = said.map(({ found, cure }) => `${found} → ${cure}`)
  expect(found[1]).toMatch(/SHA256:.*compare the fingerprint/)
  expect(found[2]).toMatch(/not the one that is known.*ssh-keygen -R changed/)
  expect(found[3]).toMatch(/takes publickey/)
  expect(found[4]).toMatch(/nothing listens there/)
  // What is said of a node stands together.
  expect(new Set(findings.filter(({ area }) => area === 'node').map(({ subject }) => subject)).size).toBe(
    findings.filter(({ area, subject }, at) => area === 'node' && findings[at - 1]?.subject !== subject).length,
  )
})
