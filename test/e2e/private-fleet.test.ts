import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/edge-daemon.ts'
import type { Capture } from '../support/net-spaces.ts'
import { ADDRESS, PrivateFleet, type Running } from '../support/private-fleet.ts'

/** Words that stand in what is said between the machines, each where it is said first. */
const SECRET_WORDS = [
  'plant-a',
  'press-4',
  'operator/mia',
  'mia-at-the-bastion',
  '"seq"',
  '"cpuPct"',
  'edge.',
  '_INBOX',
  'INFO {',
  'eyJ0eXAi',
  'BEGIN CERTIFICATE',
  'HTTP/1.1 ',
  'edj1.',
  'edgedeck://',
]
const REVOKED_WITHIN_MS = 60_000

describe('a private fleet: node behind NAT, operator on a bastion, cloud between them', () => {
  let fleet: PrivateFleet
  let wire: Capture
  let daemon: Running

  beforeAll(async () => {
    fleet = new PrivateFleet()
    wire = await fleet.net.capture('cloud')
    fleet.write('passphrase', 'correct horse battery staple\n')
    const authority = ['--dir', fleet.path('pki'), '--passphrase-file', fleet.path('passphrase')]
    await fleet.must('cloud', 'pki', 'init', '--fleet', 'acme', ...authority)

    const hub = `tls://${ADDRESS.cloudForNode}:4222`
    const bus = ['nats', 'setup', '--out', fleet.path('bus'), '--fleet', 'acme', '--sites', 'plant-a']
    await fleet.must('cloud', ...bus, '--listen', '0.0.0.0:4222', '--pki', fleet.path('pki'))
    const both = ['--ip', ADDRESS.cloudForNode, '--ip', ADDRESS.cloudForBastion]
    await fleet.must('cloud', 'pki', 'service', 'nats-hub', ...both, '--out', fleet.path('bus/tls'), ...authority)
    await fleet.startBus(fleet.path('bus/nats-server.conf'))
    await fleet.must('cloud', 'nats', 'setup', '--out', fleet.path('bus'), '--servers', hub, '--apply')

    await fleet.run('bastion', 'ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', fleet.path('mia'))
    fleet.write('operators.yaml', {
      operators: [
        {
          name: 'mia',
          role: 'operator',
          permissions: ['data'],
          sites: ['plant-a'],
          keys: [fleet.read('mia.pub').trim()],
        },
      ],
    })
    const controllerFile = fleet.write('controller.yaml', {
      listen: '0.0.0.0:5444',
      publicUrl: `https://${ADDRESS.cloudForNode}:5444`,
      hosts: [ADDRESS.cloudForBastion],
      pki: { dir: fleet.path('pki'), passphraseFile: fleet.path('passphrase') },
      state: { dir: fleet.path('controller') },
      operators: { file: fleet.path('operators.yaml') },
      nats: { issuer: fleet.path('bus/issuer.json') },
    })
    await fleet.startController(controllerFile)

    const asked = ['pki', 'token', '--site', 'plant-a', '--node', 'press-4', '--ttl', '15m', '--config', controllerFile]
    const token = (await fleet.must('cloud', ...asked)).trim()
    const nodeFile = fleet.write('edge-daemon.yaml', {
      models: { dir: new URL('../../models', import.meta.url).pathname },
      inference: { listen: '0.0.0.0:5000' },
      control: { listen: '0.0.0.0:5443' },
      state: { dir: fleet.path('node') },
      upstream: { nats: { servers: [hub] } },
    })
    expect(await fleet.edgeDaemon('join', '--token', token, '--config', nodeFile)).toMatchObject({ code: 0 })
    daemon = await fleet.startNode(nodeFile)

    fleet.write('home-bastion/.config/edgedeck/config.yaml', {
      context: 'acme',
      contexts: {
        acme: {
          controller: `https://${ADDRESS.cloudForBastion}:5444`,
          nats: { servers: [`tls://${ADDRESS.cloudForBastion}:4222`] },
          clouds: [{ name: 'hub', servers: [`tls://${ADDRESS.cloudForBastion}:4222`] }],
        },
      },
    })
  })
  afterAll(() => fleet[Symbol.asyncDispose]())

  it('lets an operator in by an SSH key, and tells who that is', async () => {
    const { stderr } = await fleet.edgedeck('cloud', 'pki', 'status', '--dir', fleet.path('pki'))
    const pin = /root SHA-256 ([\w-]{43})/.exec(stderr)?.[1] ?? ''
    await fleet.must('bastion', 'login', '--name', 'mia', '--key', fleet.path('mia'), '--pin', pin)
    expect(await fleet.must('bastion', 'whoami')).toMatch(/acme +mia +operator +data +plant-a/)
  })

  it('shows a node that nobody can connect to, through the bus', async () => {
    const knock = `require('node:net').connect(5443, '${ADDRESS.node}').on('error', (e) => process.exit(7)).on('connect', () => process.exit(0)); setTimeout(() => process.exit(7), 1500)`
    expect((await fleet.run('bastion', process.execPath, '-e', knock)).code).toBe(7)
    expect(await fleet.shoot(30)).toContain(422)
    const { code, stdout, stderr } = await fleet.edgedeck('bastion', 'nodes', '--timeout', '60s')
    expect({ code, stdout, stderr }).toMatchObject({ code: 0, stdout: expect.stringMatching(/press-4 +plant-a +up/) })
  })

  it('carries out what the operator signed, and writes down who it was', async () => {
    await fleet.must('bastion', 'resend', 'press-4', '--from', '-10m', '--why', 'line 4 asked')
    await eventually(async () => /mia.*resend/.test((await fleet.edgedeck('bastion', 'audit')).stdout), {
      timeoutMs: 120_000,
      what: 'the audit tells of it',
    })
    const { code, stdout, stderr } = await fleet.edgedeck('bastion', 'audit', '--verify')
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout, stderr })
  })

  it('cuts a revoked operator within a minute', async () => {
    const watch = fleet.beginEdgedeck('bastion', 'nodes', '--watch', '-o', 'ndjson')
    await eventually(() => /"state":"up"/.test(watch.said()), { what: 'the node is watched' })
    const files = ['--dir', fleet.path('pki'), '--passphrase-file', fleet.path('passphrase')]
    await fleet.must('cloud', 'pki', 'revoke', 'operator/mia', '--why', 'left', ...files)
    const revokedMs = performance.now()
    await eventually(() => /revoked|taken back|denied|counts no more/.test(watch.said()), {
      timeoutMs: REVOKED_WITHIN_MS,
      what: 'the session is ended',
    })
    expect(performance.now() - revokedMs).toBeLessThan(REVOKED_WITHIN_MS)
    await watch.stop()
    const { code, stdout } = await fleet.edgedeck('bastion', 'nodes')
    expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringMatching(/revoked/) })
  })

  it('says nothing in plain between the machines but what cameras send to their own port', async () => {
    const cameras = await fleet.net.capture('camera')
    await fleet.shoot(3)
    const seen = await cameras.stop()
    expect(seen.includes('POST /infer HTTP/1.1'), 'the capture sees what is in plain').toBe(true)
    await daemon.stop()
    const packets = await wire.stop()
    expect(packets.length).toBeGreaterThan(100_000)
    expect(SECRET_WORDS.filter((word) => packets.includes(word))).toEqual([])
  })
})
