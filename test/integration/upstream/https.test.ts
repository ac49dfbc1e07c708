import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { HttpWire } from '../../../edge-daemon/upstream/http.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { tcpLink } from '../../support/tcp-link.ts'
import { seqsIn, someRecords, uplinkOf } from '../../support/uplink-bench.ts'

const SOON = { timeout: 60_000, interval: 20 }
const seqs: number[] = []
const dir = mkdtempSync(join(tmpdir(), 'edgedeck-tls-'))
const [keyPath, certPath] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
execFileSync(
  'openssl',
  `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${keyPath} -out ${certPath} -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost`.split(
    ' ',
  ),
  { stdio: 'ignore' },
)
const cert = readFileSync(certPath, 'utf8')
const receiver = createServer({ key: readFileSync(keyPath), cert }, (request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    if (request.method === 'POST') seqs.push(...seqsIn(Buffer.concat(chunks), 'gzip'))
    response.writeHead(204).end()
  })
})

beforeAll(async () => {
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
})

afterAll(() => {
  receiver.closeAllConnections()
  receiver.close()
  rmSync(dir, { recursive: true })
})

test('posts over HTTPS once it trusts the receiver, and counts the bytes under TLS', async () => {
  await using link = await tcpLink((receiver.address() as AddressInfo).port)
  const store = new MemoryStore()
  await store.append(someRecords('abnormal', 200))
  await using bench = uplinkOf(
    store,
    new HttpWire({ url: `https://localhost:${link.port}/blocks`, ackTimeoutMs: 30_000, probeIntervalMs: 200 }),
  )
  bench.uplink.start()
  await vi.waitFor(() => expect(bench.uplink.status().error).toContain('self-signed certificate'), SOON)
  expect(bench.uplink.status()).toMatchObject({ state: 'down', backlogRecords: 200 })
  expect(seqs).toEqual([])

  setDefaultCACertificates([...getCACertificates(), cert])
  await vi.waitFor(() => expect(bench.uplink.status()).toMatchObject({ state: 'up', backlogRecords: 0 }), SOON)
  expect(seqs).toEqual(store.records.map(({ seq }) => seq))
  await vi.waitFor(() => {
    const sent = Object.values(bench.uplink.sentBytes()).reduce((sum, bytes) => sum + bytes, 0)
    expect(sent).toBe(link.clientBytes())
  }, SOON)
})
