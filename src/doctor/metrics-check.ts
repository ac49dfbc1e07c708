import { type IncomingMessage, get as plainGet } from 'node:http'
import { get as secureGet } from 'node:https'
import { messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { IdentityState } from '../identity/identity-source.ts'
import { clientTls } from '../link/client-tls.ts'
import type { FindingsOf } from './finding.ts'

/** A node whose metrics are scraped. */
export interface ScrapedNode {
  readonly key: string
  readonly site?: string
  readonly url: string
}

const PATH = '/metrics'
const MAX_BYTES = 4 * 1024 * 1024
/** What every page of a node has. */
const OURS = 'edge_node_info'

/** Scrape a node's control port as Prometheus would, with the operator's certificate, and say what comes. */
export async function checkMetrics(
  node: ScrapedNode,
  {
    identity,
    timeoutMs,
    now,
  }: { readonly identity: IdentityState; readonly timeoutMs: number; readonly now: () => number },
  say: FindingsOf,
): Promise<void> {
  const url = new URL(PATH, node.url.replace(/^ws/, 'http'))
  try {
    const { status, text } = await scrape(url, node, { identity, timeoutMs, now })
    if (status === 404) {
      return void say.note(
        'metrics',
        'its control port serves no /metrics; its port for devices does, on the node itself',
      )
    }
    if (status !== 200) {
      return void say.fault(
        'metrics',
        `its /metrics answers HTTP ${status}`,
        'see which certificates it lets in: its log, edgedeck logs',
      )
    }
    if (!text.includes(OURS))
      return void say.fault('metrics', 'its /metrics has none of its figures', `see what listens at ${url.host}`)
    const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length
    say.ok('metrics', `its /metrics gives ${series} series to who shows a certificate`)
  } catch (error) {
    say.fault('metrics', `its /metrics cannot be read: ${untrusted(messageOf(error))}`, 'see the findings above')
  }
}

function scrape(
  url: URL,
  node: ScrapedNode,
  {
    identity,
    timeoutMs,
    now,
  }: { readonly identity: IdentityState; readonly timeoutMs: number; readonly now: () => number },
): Promise<{ readonly status: number; readonly text: string }> {
  const common = { signal: AbortSignal.timeout(timeoutMs), agent: false } as const
  return new Promise((resolve, reject) => {
    const take = (response: IncomingMessage): void => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
        if (text.length > MAX_BYTES) response.destroy(new Error('the page never ends'))
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.on('error', reject)
    }
    if (url.protocol === 'http:') return void plainGet(url, common, take).on('error', reject)
    if (identity.kind === 'none') return reject(new Error('nobody is logged in'))
    const tls = clientTls(identity.identity, node, { now, onKnown: () => undefined })
    secureGet(url, { ...tls, ...common } as Parameters<typeof secureGet>[1], take).on('error', reject)
  })
}
