import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { addKey, findKeyFile, KEY_CREDENTIAL, readKeyFile } from '../../../edge-daemon/store/key-file.ts'
import type { EdgeError } from '../../../protocol/errors.ts'

const dir = mkdtempSync(join(tmpdir(), 'edgedeck-keys-'))
afterAll(() => rmSync(dir, { recursive: true }))
let made = 0

function file(text: string, mode = 0o600): string {
  made += 1
  const path = join(dir, `${made}.keys`)
  writeFileSync(path, text, { mode })
  chmodSync(path, mode)
  return path
}

function refusalOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    expect(error).toMatchObject({ code: 'STORE_KEYS_UNUSABLE' })
    return (error as EdgeError).toLine()
  }
  throw new Error('nothing was refused')
}

const HEX = 'ab'.repeat(32)
const BASE64 = Buffer.alloc(32, 7).toString('base64')

describe('a key file', () => {
  it('holds a key a line as hex or base64 with comments; the last one is active, others may be lost', () => {
    const keys = readKeyFile(file(`# ours\n\n1:${HEX}\n2:lost  # gone\n  7 : ${BASE64}\n`))
    expect(keys.keys.map(({ id }) => id)).toEqual([1, 7])
    expect(keys.keys.at(-1)?.secret).toEqual(new Uint8Array(32).fill(7))
    expect(keys.lost).toEqual([2])
  })

  it.for([
    ['a key that is too short', `1:${'ab'.repeat(31)}`],
    ['a key that is neither hex nor base64', `1:${'!'.repeat(44)}`],
    ['number 0, which means plain', `0:${HEX}`],
    ['a number that no frame can name', `4294967296:${HEX}`],
    ['no number', HEX],
  ] as const)('is refused with its line and without its text for %s', ([, line]) => {
    const refusal = refusalOf(() => readKeyFile(file(`# x\n${line}\n`)))
    expect(refusal).toMatch(/\.keys:2: not a key → write ID:KEY/)
    expect(refusal).not.toContain(line.slice(2, 20))
  })

  it('is refused with a key that stands there twice, without any, and when it is not there', () => {
    expect(refusalOf(() => readKeyFile(file(`1:${HEX}\n1:${BASE64}\n`)))).toContain(':2: key 1 stands there twice')
    expect(refusalOf(() => readKeyFile(file('# none\n3:lost\n')))).toContain('edge-daemon keys new --key-file')
    expect(refusalOf(() => readKeyFile(join(dir, 'nowhere')))).toContain('edge-daemon keys new --key-file')
  })

  it('is refused while others may read it, with what to run, and may be read by its group', () => {
    const open = file(`1:${HEX}\n`, 0o604)
    expect(refusalOf(() => readKeyFile(open))).toContain(`chmod 600 ${open}`)
    expect(refusalOf(() => addKey(open))).toContain(`chmod 600 ${open}`)
    expect(readKeyFile(file(`1:${HEX}\n`, 0o440)).keys).toHaveLength(1)
  })
})

describe('adding a key', () => {
  it('makes the file closed to others, then puts each key behind the others under the next number', () => {
    const path = join(dir, 'new.keys')
    expect(addKey(path)).toBe(1)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const [first] = readKeyFile(path).keys
    expect(addKey(path)).toBe(2)
    const { keys } = readKeyFile(path)
    expect(keys.map(({ id }) => id)).toEqual([1, 2])
    expect(keys[0]).toEqual(first)
    expect(keys[1]?.secret).not.toEqual(first?.secret)
  })

  it('keeps text, mode and place of a file that a person wrote, and gives no lost number again', () => {
    const path = file(`# ours\n5:lost\n1:${HEX}`, 0o640)
    const link = join(dir, 'link.keys')
    symlinkSync(path, link)
    expect(addKey(link)).toBe(6)
    expect(readFileSync(path, 'utf8')).toMatch(new RegExp(`^# ours\n5:lost\n1:${HEX}\n6:.{44}\n$`))
    expect(statSync(path).mode & 0o777).toBe(0o640)
    expect(statSync(link).ino).toBe(statSync(path).ino)
  })

  it('says what is wrong when the folder is not there', () => {
    expect(refusalOf(() => addKey(join(dir, 'none', 'x.keys')))).toContain('check that its folder exists')
  })
})

it('keys come from the setting, else from the systemd credential, else from nowhere', () => {
  expect(findKeyFile('/etc/x', { CREDENTIALS_DIRECTORY: dir })).toBe('/etc/x')
  expect(findKeyFile(null, { CREDENTIALS_DIRECTORY: dir })).toBeNull()
  writeFileSync(join(dir, KEY_CREDENTIAL), `1:${HEX}\n`, { mode: 0o400 })
  expect(findKeyFile(null, { CREDENTIALS_DIRECTORY: dir })).toBe(join(dir, KEY_CREDENTIAL))
  expect(findKeyFile(null, {})).toBeNull()
})
