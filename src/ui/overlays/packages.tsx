import { Text } from 'ink'
import type { Console } from '../console.ts'
import { formatAge, formatBytes, UNKNOWN } from '../format.ts'
import { offersFor, type PackageOffer, type RolloutFace, rowOf } from '../rollouts/face.ts'
import type { Size } from '../terminal/line.ts'
import { fitText, truncate } from '../terminal/text.ts'
import { Dialog } from './help.tsx'

const WIDTH = 110
const OFFERS = 12
const FAULTS = 3
/** Lines of the dialog beside packages and faults. */
const OTHER_LINES = 6
const [WHAT_COLUMNS, KIND_COLUMNS, SIZE_COLUMNS, SINCE_COLUMNS, SIGNER_COLUMNS] = [24, 6, 8, 9, 16]
const LEAST_WHERE_COLUMNS = 12

/** Packages to choose from, which places have not answered, and what is known of the one under the cursor. */
export function PackagesOverlay({
  console,
  size,
  face,
}: {
  readonly console: Console
  readonly size: Size
  readonly face: Extract<RolloutFace, { phase: 'choosing' }>
}) {
  const { look } = console.parts
  const offers = offersFor(face.offers, face.typed)
  const width = Math.min(size.columns - 2, WIDTH)
  const notes = notesOf(face)
  const rows = Math.min(OFFERS, Math.max(1, size.rows - OTHER_LINES - 4 - notes.length), Math.max(1, offers.length))
  const row = rowOf(offers, face.cursor)
  const first = Math.max(0, Math.min(row - Math.floor(rows / 2), offers.length - rows))
  const chosen = offers[row] ?? null
  return (
    <Dialog
      console={console}
      size={size}
      width={width}
      height={rows + OTHER_LINES + notes.length}
      title={truncate(`${face.title}: what?`, width - 4)}
    >
      <Text {...look.theme.ink('surface')}>{` ${face.typed}${look.ascii ? '_' : '█'}`}</Text>
      <Text dimColor wrap="truncate">{`   ${rowText(TITLES, width)}`}</Text>
      {offers.slice(first, first + rows).map((offer, index) => {
        const isChosen = first + index === row
        const mark = isChosen ? (look.ascii ? '>' : '▶') : ' '
        return (
          <Text key={offer.item.digest} wrap="truncate" inverse={isChosen} {...look.theme.ink('surface')}>
            {` ${mark} ${rowText(cellsOf(offer, console.nowMs()), width)}`}
          </Text>
        )
      })}
      {offers.length === 0 && (
        <Text {...look.theme.ink('surface')}>{` ${truncate(nothingText(face), width - 4)}`}</Text>
      )}
      <Text dimColor wrap="truncate">{` ${truncate(chosen === null ? '' : placeText(chosen), width - 4)}`}</Text>
      <Text
        wrap="truncate"
        dimColor={chosen?.push == null}
        {...look.theme.ink(chosen?.push == null ? 'surface' : 'warning')}
      >
        {` ${truncate(chosen === null ? '' : (chosen.push ?? signerText(chosen)), width - 4)}`}
      </Text>
      {notes.map(({ text, token }) => (
        <Text key={text} wrap="truncate" {...look.theme.ink(token)}>{` ${truncate(text, width - 4)}`}</Text>
      ))}
      <Text dimColor>{` ${truncate(footText(offers, first + rows), width - 4)}`}</Text>
    </Dialog>
  )
}

interface Cells {
  readonly what: string
  readonly kind: string
  readonly size: string
  readonly since: string
  readonly signer: string
  readonly where: string
}

const TITLES: Cells = {
  what: 'PACKAGE',
  kind: 'KIND',
  size: 'SIZE',
  since: 'THERE FOR',
  signer: 'SIGNED BY',
  where: 'WHERE',
}

function cellsOf({ item, sizeBytes, sinceMs, signedBy, where }: PackageOffer, nowMs: number): Cells {
  const [signer = UNKNOWN, ...others] = signedBy
  return {
    what: `${item.name} ${item.version}`,
    kind: item.kind,
    size: formatBytes(sizeBytes),
    since: sinceMs === null ? UNKNOWN : formatAge(Math.max(0, nowMs - sinceMs)),
    signer: others.length === 0 ? signer : `${signer.slice(0, SIGNER_COLUMNS - 3)} +${others.length}`,
    where,
  }
}

/** A row in columns; where it lies is left out where there is no room: it stands under the list. */
function rowText({ what, kind, size, since, signer, where }: Cells, width: number): string {
  const fixed = [
    fitText(what, WHAT_COLUMNS),
    fitText(kind, KIND_COLUMNS),
    fitText(size, SIZE_COLUMNS, 'right'),
    fitText(since, SINCE_COLUMNS, 'right'),
    fitText(signer, SIGNER_COLUMNS),
  ].join('  ')
  const left = width - 7 - fixed.length
  return left < LEAST_WHERE_COLUMNS ? fitText(fixed, width - 6) : `${fixed}  ${fitText(where, left)}`
}

function notesOf({ fault, faults, reading }: Extract<RolloutFace, { phase: 'choosing' }>) {
  return [
    ...(fault === null ? [] : [{ text: fault, token: 'danger' as const }]),
    ...faults.slice(0, FAULTS).map((text) => ({ text, token: 'warning' as const })),
    ...(reading.length === 0
      ? []
      : [{ text: `still reading ${reading.join(', ')}; what is known can be chosen`, token: 'surface' as const }]),
  ]
}

function nothingText({ offers, reading }: Extract<RolloutFace, { phase: 'choosing' }>): string {
  if (offers.length > 0) return 'none matches; enter takes it as a folder, or as NAME@VERSION#DIGEST'
  if (reading.length > 0) return 'none is known yet; a folder, or NAME@VERSION#DIGEST can be typed meanwhile'
  return 'none is known here: type its folder, or NAME@VERSION#DIGEST as "edgedeck model push" prints it'
}

function placeText({ item, where }: PackageOffer): string {
  return `sha256 ${item.digest.slice(0, 12)}…  ${where}`
}

function signerText({ signedBy }: PackageOffer): string {
  return signedBy.length === 0
    ? 'nodes verify who signed it'
    : `it says ${signedBy.join(', ')} signed it; nodes verify it`
}

function footText(offers: readonly PackageOffer[], shownTo: number): string {
  const more = offers.length > shownTo ? `; ${offers.length - shownTo} more below` : ''
  return `enter shows the plan, nothing happens yet; esc closes; type to search${more}`
}
