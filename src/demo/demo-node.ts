import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { CloudEnd } from './cloud.ts'
import { DaemonProcess } from './daemon-process.ts'
import { modelsDir } from './places.ts'
import { UplinkLink } from './uplink.ts'

/** What {@link DemoNodeParts} needs. */
export interface DemoNodeOptions {
  readonly name: string
  readonly site: string
  /** The demo's own folder. */
  readonly dir: string
  readonly cloud: CloudEnd
  /** Key whose packages the node takes. */
  readonly modelTrust: string
  readonly onSpawn: (pid: number) => void
  readonly onExit: (pid: number, cause: string) => void
}

/** A node of the demo: its daemon, its link to the cloud, its folder, and what is being done to it. */
export class DemoNodeParts {
  readonly name: string
  readonly site: string
  readonly stateDir: string
  /** The log that the node's camera writes, and the node follows. */
  readonly cameraLog: string
  readonly uplink: UplinkLink
  readonly daemon: DaemonProcess
  slowMs = 0
  garbageTimer: NodeJS.Timeout | null = null
  readonly #keyFile: string
  readonly #modelTrust: string
  #stopped = false

  constructor({ name, site, dir, cloud, modelTrust, onSpawn, onExit }: DemoNodeOptions) {
    this.name = name
    this.site = site
    this.stateDir = path.join(dir, name)
    this.cameraLog = path.join(dir, `${name}-camera.log`)
    this.#modelTrust = modelTrust
    this.#keyFile = path.join(dir, `${name}.keys`)
    this.uplink = new UplinkLink(() => (cloud.port === null ? null : { host: '127.0.0.1', port: cloud.port }))
    this.daemon = new DaemonProcess({
      configFile: path.join(dir, `${name}.yaml`),
      tempDir: dir,
      config: (listen) => this.#config(listen, cloud),
      onSpawn,
      onExit: (pid, cause) => {
        // A declared fault lives in the daemon's memory only.
        this.slowMs = 0
        onExit(pid, cause)
      },
    })
  }

  /** Open the link and start the daemon; resolves when it serves. */
  async start(): Promise<void> {
    mkdirSync(this.stateDir, { recursive: true })
    // A key of this run alone: what a demo keeps is as unreadable as what a node keeps.
    writeFileSync(this.#keyFile, `1:${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
    await this.uplink.start()
    // The demo may have been left in the meantime; a daemon started now would outlive the look for what runs.
    if (!this.#stopped) await this.daemon.start()
  }

  /** End all of it; resolves when nothing runs. */
  async stop(): Promise<void> {
    this.#stopped = true
    if (this.garbageTimer !== null) clearTimeout(this.garbageTimer)
    await this.daemon.stop()
    await this.uplink.stop()
  }

  #config(listen: { readonly inference: string; readonly control: string }, cloud: CloudEnd): object {
    const url = cloud.urlThrough(this.uplink.port)
    return {
      node: { name: this.name, site: this.site },
      inference: { listen: listen.inference },
      control: { listen: listen.control },
      models: {
        dir: modelsDir(),
        serve: 'digits',
        variant: 'fp32',
        trust: [this.#modelTrust],
        // Nodes, cameras and console share this machine: of what nobody else wants there may be nothing for a minute.
        shadowPriority: 'normal',
      },
      state: { dir: this.stateDir },
      store: { maxBytes: '200MB', keyFile: this.#keyFile },
      upstream: cloud.kind === 'nats' ? { nats: { servers: [url] } } : { http: { url } },
      logs: { files: [{ path: this.cameraLog, source: 'camera', format: 'logfmt' }], from: 'start' },
      // A newcomer should see an alert begin and end within a minute.
      alerts: { after: '5s', clearAfter: '10s' },
      faults: { allow: true },
    }
  }
}
