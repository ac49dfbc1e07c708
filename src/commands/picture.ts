import { writeFile } from 'node:fs/promises'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { FleetAccess } from '../link/access.ts'
import { pictureCells } from '../pictures/cells.ts'
import { decodePicture, type Picture } from '../pictures/decode.ts'
import { formatBytes } from '../ui/format.ts'
import { blockArt } from './block-art.ts'
import { openNode } from './node-session.ts'
import { type CommandIo, type OutputFormat, printJson } from './output.ts'
import { writePatiently } from './patient-output.ts'
import { failureOf } from './request-failure.ts'

/** What `edgedeck picture` was asked. */
export interface PictureRequest {
  readonly name: string
  readonly node: NodeAddress
  readonly access: FleetAccess
  /** Sequence of the result that the picture was sent for. */
  readonly seq: number
  /** File to save it in as it is, `-` for stdout; null to draw it. */
  readonly save: string | null
  readonly format: OutputFormat
  readonly timeoutMs: number
}

/** The room and colours that a picture is drawn in. */
export interface PictureSurface {
  readonly columns: number
  readonly rows: number
  readonly depth: 'none' | '16' | '256' | 'true'
  readonly ascii: boolean
}

/**
 * Fetch the picture that a node keeps of a flagged result, and save or draw it. A file that is there is never written over.
 * @throws EdgeError `NODE_UNREACHABLE`, `PICTURE_NOT_KEPT`, `PICTURE_UNDECODABLE`, `OUTPUT_REFUSED`, or what the node says
 */
export async function runPicture(request: PictureRequest, surface: PictureSurface, io: CommandIo): Promise<void> {
  const { name, node: address, access, seq, save, format, timeoutMs } = request
  const opened = await openNode(address, { access, timeoutMs, signal: io.signal })
  if (!opened.ok) throw failureOf(name, { ok: false, code: 'NODE_UNREACHABLE', message: opened.reason, next: [] })
  const outcome = await opened.node.link.fetchPicture(seq, io.signal).finally(() => opened.node.stop())
  if (!outcome.ok) throw failureOf(name, outcome)
  const { data, contentType } = outcome
  if (save === '-') {
    io.stdout.write(data)
    return
  }
  if (save !== null) await saveNew(save, data)
  const decoded = await decodePicture(data)
  const picture = decoded.ok ? decoded.picture : null
  if (format !== 'table') {
    const size = { width: picture?.fullWidth ?? null, height: picture?.fullHeight ?? null }
    const facts = { node: name, seq, contentType: untrusted(contentType), bytes: data.length, ...size, file: save }
    io.stdout.write(printJson([facts], format))
  } else if (save !== null) {
    io.stdout.write(`${untrusted(save)}: ${facts(picture, contentType, data)}\n`)
  } else if (decoded.ok) {
    await writePatiently(io, draw(decoded.picture, surface))
    io.stderr.write(`${untrusted(name)} ${seq}: ${facts(picture, contentType, data)}\n`)
  } else {
    throw new EdgeError('PICTURE_UNDECODABLE', {
      message: `${untrusted(name)} ${seq}: ${untrusted(decoded.message)}`,
      next: ['save the bytes as they are with --save FILE'],
    })
  }
}

function draw(picture: Picture, surface: PictureSurface): string {
  return blockArt(pictureCells(picture, surface), surface)
}

function facts(picture: Picture | null, contentType: string, data: Uint8Array): string {
  const what = picture === null ? contentType : `${picture.format} ${picture.fullWidth}×${picture.fullHeight}`
  return untrusted(`${what}, ${formatBytes(data.length)}`)
}

async function saveNew(file: string, data: Uint8Array): Promise<void> {
  try {
    await writeFile(file, data, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EEXIST'
    throw new EdgeError('OUTPUT_REFUSED', {
      message: taken ? `${file} is there already` : `${file}: ${messageOf(error)}`,
      next: [taken ? 'choose another name, or remove it first' : 'choose a folder that can be written'],
      cause: error,
    })
  }
}
