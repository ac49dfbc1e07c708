import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BlockArchive, type BlockNote } from '../../src/demo/block-archive.ts'
import { freePort } from './free-port.ts'
import { seqsIn } from './uplink-bench.ts'

const PROGRAM = fileURLToPath(new URL('./http-cloud-main.ts', import.meta.url))

/** A block in the archive of a receiver, with the sequences of its records. */
export type ArchivedBlock = BlockNote & { readonly seqs: readonly number[] }

/** The demo's HTTP receiver in a process of its own, with a folder that outlives it. */
export interface HttpCloudProcess {
  readonly dir: string
  readonly port: number
  readonly url: string
  kill(): Promise<void>
  /** Start it again on the same port. */
  restart(): Promise<void>
  /** What it holds; only while it is killed. */
  blocks(): Promise<ArchivedBlock[]>
  [Symbol.asyncDispose](): Promise<void>
}

/** Start a receiver; `await using` ends it and removes its folder. */
export async function httpCloudProcess(): Promise<HttpCloudProcess> {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-cloud-'))
  let child: ChildProcess | null = null
  const start = async (port: number): Promise<number> => {
    child = spawn(process.execPath, [PROGRAM, dir, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = await once(child.stdout ?? child, 'data')
    return Number(String(line))
  }
  const kill = async (): Promise<void> => {
    if (child === null) return
    const gone = once(child, 'close')
    child.kill('SIGKILL')
    await gone
    child = null
  }
  const port = await start(await freePort())
  return {
    dir,
    port,
    url: `http://127.0.0.1:${port}/blocks`,
    kill,
    restart: async () => {
      await start(port)
    },
    blocks: () => archivedBlocks(dir),
    [Symbol.asyncDispose]: async () => {
      await kill()
      rmSync(dir, { recursive: true })
    },
  }
}

/** What the archive of a folder holds, in the order it came. */
export async function archivedBlocks(dir: string): Promise<ArchivedBlock[]> {
  const archive = await BlockArchive.open(dir)
  try {
    const blocks: ArchivedBlock[] = []
    for (const { index, note } of archive.list('', Number.MAX_SAFE_INTEGER)) {
      const body = (await archive.read(index))?.body ?? Buffer.alloc(0)
      blocks.push({ ...note, seqs: seqsIn(body, note.headers['content-encoding']) })
    }
    return blocks
  } finally {
    await archive.close()
  }
}
