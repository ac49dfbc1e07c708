import { globSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeFolder, makeFolderSync } from '../../../durable/make-folder.ts'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgedeck-folders-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

describe.each([
  ['makeFolder', makeFolder],
  ['makeFolderSync', async (...given: Parameters<typeof makeFolderSync>) => makeFolderSync(...given)],
])('%s', (_, make) => {
  it('makes what is missing, says which is the uppermost of it, and leaves alone what is there', async () => {
    const folder = join(dir, 'a', 'b', 'c')
    expect(await make(folder, { mode: 0o700 })).toBe(join(dir, 'a'))
    for (const made of ['a', 'a/b', 'a/b/c']) expect(statSync(join(dir, made)).mode & 0o777).toBe(0o700)
    expect(await make(folder)).toBeUndefined()
    expect(await make(join(folder, 'd'))).toBe(join(folder, 'd'))
    symlinkSync(folder, join(dir, 'link'))
    expect(await make(join(dir, 'link'))).toBeUndefined()
  })

  it('says what the system says of a path that goes through a file, or is one', async () => {
    writeFileSync(join(dir, 'file'), '')
    await expect(make(join(dir, 'file'))).rejects.toMatchObject({ code: 'EEXIST' })
    await expect(make(join(dir, 'file', 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' })
  })

  it.runIf(process.platform === 'linux')('ends where a file system takes no new folders', async () => {
    await expect(make('/proc/x')).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(make('/proc/x/y/z')).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

it('is what every room makes its folders with', () => {
  const files = globSync('{src,edge-daemon,durable,identity,packages,settings}/**/*.{ts,tsx}', {
    exclude: (path) => path === 'src/demo',
  })
  const others = files.filter((path) => /\bmkdir(Sync)?\([^)]*recursive: true/.test(readFileSync(path, 'utf8')))
  expect(files.length).toBeGreaterThan(100)
  expect(others).toEqual([])
})
