import type { IncomingHttpHeaders } from 'node:http'

/** Status and text to refuse a request with. */
export interface Refusal {
  readonly ok: false
  readonly status: 400 | 415
  readonly msg: string
}

/** Picture bytes out of a request body, or why not. */
export type PictureRequest = { readonly ok: true; readonly picture: Buffer } | Refusal

const FIELD = 'image_base64'
const DATA_URL_MAX_CHARS = 256

/** What a content type asks for; null for one that `/infer` does not take. */
export function bodyKind(contentType: string | undefined): 'json' | 'image' | null {
  if (contentType === undefined) return null
  const end = contentType.indexOf(';')
  const type = (end === -1 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
  if (type === 'application/json') return 'json'
  return type.startsWith('image/') ? 'image' : null
}

/** Why the head of a request already refuses it; null when its body may be read. */
export function wrongContent(headers: IncomingHttpHeaders): Refusal | null {
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    return refuse(415, `Content-Encoding ${show(encoding)} is not taken; send the body as it is`)
  }
  const contentType = headers['content-type']
  if (bodyKind(contentType) !== null) return null
  const found =
    contentType === undefined ? 'there is no Content-Type' : `Content-Type ${show(contentType)} is not taken`
  return refuse(
    415,
    `${found}; send application/json with "${FIELD}", or the picture's bytes as image/png, image/jpeg or image/webp`,
  )
}

/** Take the picture out of a body whose head {@link wrongContent} let pass. */
export function pictureOf(contentType: string | undefined, body: Buffer): PictureRequest {
  if (bodyKind(contentType) === 'json') return fromJson(body)
  return body.length === 0
    ? refuse(400, 'the body is empty; send the bytes of the picture')
    : { ok: true, picture: body }
}

function fromJson(body: Buffer): PictureRequest {
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch {
    return refuse(400, `the body is not JSON; send {"${FIELD}": "…"}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse(400, `the body is not a JSON object; send {"${FIELD}": "…"}`)
  }
  const encoded: unknown = (value as Record<string, unknown>)[FIELD]
  if (encoded === undefined || encoded === null || encoded === '') {
    return refuse(400, `the parameter "${FIELD}" is missing; send the picture as base64 in it`)
  }
  if (typeof encoded !== 'string') return refuse(400, `"${FIELD}" is not a text; send the picture as base64 in it`)
  const picture = decodeBase64(withoutDataUrl(encoded))
  if (picture === null) return refuse(400, `"${FIELD}" is not base64; encode the bytes of the picture with RFC 4648`)
  return { ok: true, picture }
}

function withoutDataUrl(text: string): string {
  if (!text.startsWith('data:')) return text
  const comma = text.slice(0, DATA_URL_MAX_CHARS).indexOf(',')
  return comma === -1 || !text.slice(0, comma).endsWith(';base64') ? text : text.slice(comma + 1)
}

/**
 * Decode base64 (RFC 4648, either alphabet, padding optional, line breaks allowed); null for anything else or nothing.
 * `Buffer.from` skips what it does not know without a word, so the length tells whether it skipped anything.
 */
export function decodeBase64(text: string): Buffer | null {
  const direct = decodeExactly(text)
  if (direct !== null || !/\s/.test(text)) return direct
  return decodeExactly(text.replace(/\s+/g, ''))
}

function decodeExactly(text: string): Buffer | null {
  let chars = text.length
  while (chars > 0 && text.length - chars < 2 && text[chars - 1] === '=') chars -= 1
  const isPadded = chars < text.length
  if (chars === 0 || chars % 4 === 1 || (isPadded && text.length % 4 !== 0)) return null
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === Math.floor((chars * 3) / 4) ? bytes : null
}

function refuse(status: 400 | 415, msg: string): Refusal {
  return { ok: false, status, msg }
}

function show(text: string): string {
  return JSON.stringify(text.slice(0, 80))
}
