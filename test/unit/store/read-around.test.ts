import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readAround } from '../../../edge-daemon/store/read-around.ts'

describe('a read around what cannot be read', () => {
  let dir = ''
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'edgedeck-read-'))
  })
  afterEach(() => rmSync(dir, { recursive: true }))

  function withFd<T>(path: string, use: (fd: number) => T): T {
    const fd = openSync(path, 'r')
    try {
      return use(fd)
    } finally {
      closeSync(fd)
    }
  }

  it('returns as many bytes as were asked for, with zeros behind the end of the file', () => {
    const path = join(dir, 'file')
    writeFileSync(path, 'abcdef')
    const bytes = withFd(path, (fd) => readAround(fd, { offset: 2, length: 6 }, () => false))
    expect(bytes).toEqual(Buffer.from('cdef\0\0'))
  })

  it('returns zeros for what is gone, and throws what says that it is not', () => {
    // A folder can be opened, and every read of it fails.
    withFd(dir, (fd) => {
      expect(readAround(fd, { offset: 0, length: 9000 }, () => true)).toEqual(Buffer.alloc(9000))
      expect(() => readAround(fd, { offset: 0, length: 9000 }, () => false)).toThrow('EISDIR')
    })
  })
})
