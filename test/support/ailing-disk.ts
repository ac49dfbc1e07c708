import type * as Files from 'node:fs/promises'
import { vi } from 'vitest'

/** What a disk answers instead of opening a file, by a part of its path; empty for a disk that is well. */
export const ailing = new Map<string, { readonly code: string; readonly call: 'open' | 'read' }>()

/** `node:fs/promises` over which {@link ailing} rules, for `vi.mock`. */
export async function ailingFiles(original: () => Promise<typeof Files>): Promise<typeof Files> {
  const real = await original()
  const open: typeof real.open = async (path, ...more) => {
    const [, ill] = [...ailing].find(([part]) => String(path).includes(part)) ?? []
    if (ill?.call === 'open') throw systemError(ill.code, 'open', String(path))
    const file = await real.open(path, ...more)
    if (ill?.call === 'read') vi.spyOn(file, 'read').mockRejectedValue(systemError(ill.code, 'read'))
    return file
  }
  return { ...real, open }
}

function systemError(code: string, syscall: string, path?: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${syscall}${path === undefined ? '' : ` '${path}'`}`), { code, syscall })
}
