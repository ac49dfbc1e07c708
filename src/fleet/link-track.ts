import { safe } from './clean.ts'
import type { LinkEvent } from './link-event.ts'
import type { LinkView } from './view.ts'

/** Before anything happened on a link. */
export function idleLink(url: string | null, insecure = false): LinkView {
  return {
    url: url === null ? null : safe(url),
    insecure,
    certified: null,
    phase: 'idle',
    route: null,
    attempt: 0,
    retryAtMs: null,
    openedAtMs: null,
    lastReason: null,
    heartbeatAtMs: null,
    rttMs: null,
    clockOffsetMs: null,
    receivedBytes: 0,
    receivedFrames: 0,
    mergedFrames: 0,
    refusedFrames: 0,
    floods: 0,
    lastMisbehaviour: null,
  }
}

/** The link after an event; `nowMs` is our clock. */
export function advanceLink(link: LinkView, event: LinkEvent, nowMs: number): LinkView {
  switch (event.kind) {
    case 'connecting':
      return { ...link, phase: 'connecting', attempt: event.attempt, retryAtMs: null, openedAtMs: null }
    case 'opened':
      return {
        ...link,
        phase: 'open',
        route: event.route ?? 'direct',
        certified: event.certified ?? false,
        openedAtMs: nowMs,
        retryAtMs: null,
      }
    case 'frame':
      return {
        ...link,
        receivedBytes: link.receivedBytes + event.sizeBytes,
        receivedFrames: link.receivedFrames + 1,
      }
    case 'sample':
    case 'stat':
      return link
    case 'heartbeat':
      return { ...link, heartbeatAtMs: nowMs, receivedBytes: link.receivedBytes + event.sizeBytes }
    case 'clock':
      return { ...link, rttMs: event.rttMs, clockOffsetMs: event.offsetMs }
    case 'refused':
    case 'closed':
      return {
        ...link,
        phase: event.retryInMs === null ? 'idle' : 'waiting',
        retryAtMs: event.retryInMs === null ? null : nowMs + event.retryInMs,
        openedAtMs: null,
        certified: null,
        route: null,
        lastReason: safe(event.reason),
      }
    case 'misbehaved':
      // Nothing dropped: the node refused something of ours, which is no fault of its own.
      if (event.dropped === 0) return { ...link, lastReason: safe(`${event.code}: ${event.message}`) }
      return {
        ...link,
        refusedFrames: link.refusedFrames + event.dropped,
        floods: link.floods + (event.code === 'FRAME_RATE' ? 1 : 0),
        lastMisbehaviour: {
          msg: safe(`${event.code}: ${event.message}`),
          atMs: nowMs,
          isFlood: event.code === 'FRAME_RATE',
        },
      }
  }
}
