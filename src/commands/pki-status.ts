import type { X509Certificate } from 'node:crypto'
import { fingerprintOf } from '../../identity/fingerprint.ts'
import { readablePath, readUri } from '../../identity/names.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { AuthorityFolder } from '../pki/authority-folder.ts'
import type { IssuedRecord } from '../pki/issued-log.ts'
import { formatAge } from '../ui/format.ts'
import { type CommandIo, type OutputFormat, type PrintedColumn, printJson, printTable } from './output.ts'

/** One certificate as it is printed. Times are Unix ms. */
interface Row {
  readonly name: string
  readonly state: 'in force' | 'not yet' | 'ended' | 'replaced' | 'revoked'
  readonly why: string
  readonly rights: string
  readonly notBefore: number
  readonly notAfter: number
  readonly how: string
  readonly serial: string
}

/**
 * Print the certificates of an authority and what was issued from its folder: what is in force, or with `all` everything.
 * @throws EdgeError `PKI_UNUSABLE`
 */
export function printStatus(
  authority: AuthorityFolder,
  { format, all, nowMs }: { readonly format: OutputFormat; readonly all: boolean; readonly nowMs: number },
  io: CommandIo,
): void {
  const { records, damaged } = authority.issued()
  const denied = authority.denied()
  const issued = rowsOf(records, authority, nowMs).filter(
    ({ state }) => all || state === 'in force' || state === 'revoked',
  )
  const rows = [
    ...authority.roots.map((root) => ownRow('root', root, nowMs)),
    ownRow('issuing', authority.issuing, nowMs),
    ...issued,
  ]
  if (format !== 'table') {
    io.stdout.write(printJson(rows, format))
  } else {
    io.stdout.write(printTable(columns(nowMs), rows))
  }
  for (const root of authority.roots) {
    io.stderr.write(`edgedeck: root SHA-256 ${fingerprintOf(root)}, as --pin of edgedeck login takes it\n`)
  }
  const { serials = [], names = [], version = 0 } = denied ?? {}
  io.stderr.write(
    `edgedeck: fleet ${authority.fleet}, trust bundle version ${authority.bundle.version}, ` +
      `deny list version ${version} with ${names.length} names and ${serials.length} certificates\n`,
  )
  if (damaged > 0) io.stderr.write(`edgedeck: ${damaged} lines of ${authority.path('issued')} are damaged\n`)
}

function rowsOf(records: readonly IssuedRecord[], authority: AuthorityFolder, nowMs: number): Row[] {
  const { serials = [], names = [] } = authority.denied() ?? {}
  const last = new Map(records.map((record) => [record.name, record]))
  return records.map((record) => {
    const { name, notBefore, notAfter, how, serial } = record
    const entry =
      serials.find((one) => one.serial === serial) ?? names.find((one) => one.name === name && notBefore < one.before)
    const isLast = last.get(name) === record
    const inTime = notAfter < nowMs ? 'ended' : isLast || !name.startsWith('node/') ? 'in force' : 'replaced'
    const state = entry !== undefined && notAfter >= nowMs ? 'revoked' : inTime
    return { name, state, why: entry?.why ?? '', rights: rightsOf(record), notBefore, notAfter, how, serial }
  })
}

function ownRow(name: string, certificate: X509Certificate, nowMs: number): Row {
  const [notBefore, notAfter] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()]
  const state = notAfter < nowMs ? 'ended' : notBefore > nowMs ? 'not yet' : 'in force'
  return { name, state, why: '', rights: '', notBefore, notAfter, how: 'init', serial: certificate.serialNumber }
}

function rightsOf({ uri }: IssuedRecord): string {
  const named = readUri(uri)
  if (named?.kind !== 'operator') return ''
  const { role, permissions, sites } = named.rights
  return [role, ...permissions, sites === '*' ? 'all sites' : sites.join(',')].join(' ')
}

function columns(nowMs: number): readonly PrintedColumn<Row>[] {
  const left = (ms: number): string => (ms < nowMs ? 'over' : formatAge(ms - nowMs))
  return [
    { title: 'NAME', text: ({ name }) => untrusted(readablePath(name)) },
    { title: 'STATE', text: ({ state, why }) => untrusted(why === '' ? state : `${state}: ${why}`) },
    { title: 'ENDS', text: ({ notAfter }) => `${new Date(notAfter).toISOString().slice(0, 16).replace('T', ' ')} UTC` },
    { title: 'LEFT', align: 'right', text: ({ notAfter }) => left(notAfter) },
    { title: 'BY', text: ({ how }) => how },
    { title: 'RIGHTS', text: ({ rights }) => untrusted(rights) },
    { title: 'SERIAL', text: ({ serial }) => serial },
  ]
}
