import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  judgeHostKey,
  knownHostLine,
  knownKeyTypes,
  knownName,
  linesAbout,
  parseKnownHosts,
} from '../../../src/ssh/known-hosts.ts'
import { appendKnownHost, readKnownHosts } from '../../../src/ssh/known-hosts-file.ts'
import { SshKeys } from '../../support/ssh-keys.ts'

const keys = new SshKeys()
const dir = mkdtempSync(join(tmpdir(), 'edgedeck-known-'))
const [a, b, rsa] = [keys.make('a').line, keys.make('b').line, keys.make('r', '', 'rsa').line].map((line) =>
  line.split(' ').slice(0, 2).join(' '),
) as [string, string, string]
const blobOf = (line: string): Buffer => Buffer.from(line.split(' ')[1] ?? '', 'base64')
afterAll(() => {
  keys[Symbol.dispose]()
  rmSync(dir, { recursive: true })
})

describe('known_hosts', () => {
  const file = join(dir, 'known_hosts')
  let entries: ReturnType<typeof readKnownHosts>
  beforeAll(() => {
    const hashed = join(dir, 'hashed')
    writeFileSync(hashed, `secret.example ${a}\n[secret.example]:2222 ${b}\n`)
    execFileSync('ssh-keygen', ['-q', '-H', '-f', hashed], { stdio: 'ignore' })
    const lines = [
      '# a comment',
      '',
      `plain.example,10.0.0.4 ${a} with a comment of its own`,
      `  indented.example\t${a}`,
      `[port.example]:2222 ${a}`,
      `*.wild.example,!no.wild.example ${a}`,
      `one-?.example ${b}`,
      `Upper.Example ${a}`,
      readFileSync(hashed, 'utf8').trimEnd(),
      `@revoked * ${b}`,
      `@cert-authority *.ca.example ${a}`,
      `two.example ${a}`,
      `two.example ${rsa}`,
      'no key at all',
      'bad.example ssh-ed25519 AAAA',
      'bad.example ssh-ed25519 !!!!',
      `bad.example ssh-rsa ${a.split(' ')[1]}`,
      '|1|broken ssh-ed25519 AAAA',
      `@what bad.example ${a}`,
      `last.example ${a}`,
    ]
    writeFileSync(file, lines.join('\n'))
    entries = readKnownHosts([file, join(dir, 'none')])
  })

  it.each([
    'plain.example',
    '10.0.0.4',
    'PLAIN.example',
    'indented.example',
    '[port.example]:2222',
    'port.example',
    'x.wild.example',
    'no.wild.example',
    'wild.example',
    'one-1.example',
    'one-12.example',
    'upper.example',
    'secret.example',
    '[secret.example]:2222',
    'x.ca.example',
    'two.example',
    'last.example',
    'other.example',
  ])('finds the lines about %s that ssh-keygen -F finds', (name) => {
    const { stdout } = spawnSync('ssh-keygen', ['-F', name, '-f', file], { encoding: 'utf8' })
    const theirs = [...stdout.matchAll(/found: line (\d+)/g)].map(([, line]) => Number(line))
    expect(linesAbout(entries, name).map(({ line }) => line)).toEqual(theirs)
  })

  it('passes over lines that are no keys', () => {
    expect(linesAbout(entries, 'bad.example').map(({ marker }) => marker)).toEqual(['revoked'])
  })

  it('calls a key known, changed, unknown or revoked', () => {
    const judge = (name: string, key: string, port = 22) => judgeHostKey(entries, { name, port }, blobOf(key)).kind
    expect(judge('plain.example', a)).toBe('known')
    expect(judge('plain.example', rsa)).toBe('changed')
    expect(judge('plain.example', b)).toBe('revoked')
    expect(judge('one-1.example', b)).toBe('revoked')
    expect(judge('two.example', rsa)).toBe('known')
    expect(judge('other.example', a)).toBe('unknown')
    expect(judge('port.example', a, 2222)).toBe('known')
    expect(judge('port.example', a)).toBe('unknown')
    // Known by its name alone, on another port: right with the same key, and unknown with another.
    expect(judge('plain.example', a, 2200)).toBe('known')
    expect(judge('plain.example', rsa, 2200)).toBe('unknown')
  })

  it('says who would vouch for a server by certificates', () => {
    const verdict = judgeHostKey(entries, { name: 'x.ca.example', port: 22 }, blobOf(a))
    expect(verdict).toMatchObject({ kind: 'unknown', authorities: [{ marker: 'cert-authority' }] })
  })

  it('tells the types of keys that are known', () => {
    expect(knownKeyTypes(entries, { name: 'two.example', port: 22 })).toEqual(['ssh-ed25519', 'ssh-rsa'])
    expect(knownKeyTypes(entries, { name: 'x.ca.example', port: 22 })).toEqual([])
  })

  it('writes a line that ssh-keygen finds, hashed or not, behind one that was cut off', () => {
    const own = join(dir, 'deep', 'known_hosts')
    appendKnownHost(own, knownHostLine('n1.example', blobOf(a), false))
    writeFileSync(own, `${readFileSync(own, 'utf8')}cut.example ssh-ed`)
    appendKnownHost(own, knownHostLine(knownName('N2.example', 2222), blobOf(b), true))
    expect(statSync(own).mode & 0o777).toBe(0o600)
    const text = readFileSync(own, 'utf8')
    expect(text).not.toMatch(/n2\.example/i)
    for (const name of ['n1.example', '[n2.example]:2222']) {
      expect(spawnSync('ssh-keygen', ['-F', name, '-f', own]).status).toBe(0)
      expect(linesAbout(parseKnownHosts(text, own), name)).toHaveLength(1)
    }
  })
})
