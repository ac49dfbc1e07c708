import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { EdgeError, messageOf } from '../protocol/errors.ts'
import type { LogRecord } from '../protocol/records.ts'
import { briefStatus } from './brief-status.ts'
import { makeReach } from './bus-reach.ts'
import { ChangePath, requireModel } from './change-path.ts'
import { makeCommandPath } from './command-path.ts'
import { changeCommands } from './commands/changes.ts'
import { faultCommands } from './commands/faults.ts'
import { localRights } from './commands/local-rights.ts'
import { resendCommands } from './commands/resend.ts'
import { plainUplinks } from './config/plain-uplinks.ts'
import type { DaemonConfig } from './config/settings.ts'
import { HostMeter } from './health/host.ts'
import { renderMetrics } from './health/metrics-text.ts'
import type { NodeIdentity } from './identity/node-identity.ts'
import { IdentityUpkeep } from './identity/upkeep.ts'
import { InferenceService } from './inference/inference-service.ts'
import { InferenceMeters } from './inference/meters.ts'
import { InferenceServer, type Readiness } from './inference/server.ts'
import { inferenceTls } from './inference-tls.ts'
import { InputChoice } from './input-choice.ts'
import { keepLimits } from './keep-limits.ts'
import { readPicture } from './kept-pictures.ts'
import type { LiveRow, RowTopic } from './live/contract.ts'
import { LiveServer } from './live/live-server.ts'
import { readRows, refusedRow, topicOf } from './live-rows.ts'
import { LiveRules } from './live-rules.ts'
import { makeFollow } from './log-follow.ts'
import { type LogBody, Logger } from './logs/logger.ts'
import { MetricWatch, metricLine } from './metric-watch.ts'
import { NodeConditions } from './node-conditions.ts'
import { nodeStatus, type StatusSources } from './node-status.ts'
import { ResultKeeper } from './result-keeper.ts'
import type { Reach } from './rpc/reach.ts'
import { forwardedFrom } from './search/forwarded-from.ts'
import { Searcher } from './search/searcher.ts'
import { tellService } from './service-events.ts'
import { Standing } from './standing.ts'
import { startAlerts } from './start-alerts.ts'
import { StatusRecorder } from './status-recorder.ts'
import { readKeyFile } from './store/key-file.ts'
import type { StoreKeys } from './store/seal.ts'
import { openStore, type Store } from './store/store.ts'
import { durabilityLines, encryptionLines } from './store-promises.ts'
import { telemetryPace } from './telemetry-pace.ts'
import { awaitedTargets, makeOutbound, type TelemetryBytes } from './uplinks.ts'
import { Aggregator } from './upstream/aggregate.ts'

/** How long requests in flight may take when the daemon stops. */
const STOP_GRACE_MS = 8000

/** What a {@link Daemon} is made of. */
export interface DaemonOptions {
  readonly config: DaemonConfig
  readonly version: string
  /** Keys of the store; null for a plain one. */
  readonly keyFile: string | null
  /** Who the node is in its fleet; null when it has not joined one. */
  readonly identity: NodeIdentity | null
}

/** The one place that wires the parts of a node: starts them in the order they need each other, ends them in reverse. */
export class Daemon {
  readonly #config: DaemonConfig
  readonly #version: string
  readonly #keyFile: string | null
  readonly #identity: NodeIdentity | null
  readonly #log: Logger
  /** What is to be ended, last started first. */
  readonly #endings: (() => unknown)[] = []
  /** Log lines from before the store was open. */
  #early: LogBody[] | null = []
  #store: Store | null = null
  #live: LiveServer | null = null
  #searcher: Searcher | null = null
  #reach: Reach | null = null
  #publish: (topic: RowTopic, row: LiveRow) => void = () => undefined
  #isServing = false

  constructor({ config, version, keyFile, identity }: DaemonOptions) {
    this.#config = config
    this.#identity = identity
    this.#version = version
    this.#keyFile = keyFile
    this.#log = new Logger({
      ...config.log,
      // Where the store is sealed, no line may lie beside it in plain: it goes to the stream, and into the store.
      dir: keyFile === null ? this.#logFolder : null,
      stream: process.stdout,
      sink: (record) => this.#keepLog(record),
    })
  }

  /**
   * Start everything and serve.
   * @throws EdgeError of the part that cannot start; call {@link stop} then.
   */
  async start(): Promise<void> {
    const { node, state } = this.#config
    this.#log.start()
    this.#endings.push(() => this.#log.stop())
    await requireModel(this.#config)
    const store = await this.#openStore()
    const meters = new InferenceMeters(this.#config.alerts.latency)
    const uplinkIdentity = () => this.#identity?.tls() ?? null
    const release = this.#version
    const toChanges = { config: this.#config, meters, store, release, log: this.#log, identity: uplinkIdentity }
    const changes = await ChangePath.open(toChanges)
    // Twice: a start that fails ends in order too, and one that serves ends its changes before all else.
    this.#endings.push(() => changes.stop())
    const service = this.#makeService(meters, changes)
    const host = new HostMeter({
      nodeExporterUrl: this.#config.health.nodeExporter,
      intervalMs: this.#config.health.interval,
      stateDir: state.dir,
    })
    await this.#begin(host)
    await this.#begin(
      new Aggregator({
        store,
        get aggregateCount() {
          return changes.settings.filter.aggregateCount
        },
        get aggregateEveryMs() {
          return changes.settings.filter.aggregateEvery
        },
        log: this.#log,
      }),
    )
    const telemetryBytes = (): TelemetryBytes => ({
      telemetry: this.#live?.sentBytes() ?? 0,
      ...(this.#reach === null ? {} : { telemetryNats: this.#reach.sentBytes() }),
    })
    const toOutbound = { store, log: this.#log, telemetryBytes, identity: uplinkIdentity }
    const outbound = await makeOutbound(this.#config, toOutbound)
    const { uplinks } = outbound
    for (const uplink of uplinks) await this.#begin(uplink)
    if (outbound.failover !== null) await this.#begin(outbound.failover)
    const rules = new LiveRules(changes.settings)
    const upkeep = this.#identity === null ? null : new IdentityUpkeep({ identity: this.#identity, log: this.#log })
    if (upkeep !== null) await this.#begin(upkeep)
    const standing = new Standing({ upkeep, plainUplinks: plainUplinks(this.#config) })
    const follow = makeFollow(this.#config, { store, log: this.#log })
    const found = { disk: outbound.disk, standing, logs: follow, changes }
    const conditions = new NodeConditions({ host, store, service, rules, ...found })
    const alerts = await startAlerts({
      thresholds: () => ({ ...this.#config.alerts, ...changes.settings.alerts }),
      sources: { meters, host, outbound, store, conditions, standing },
      log: this.#log,
      onRefused: ({ timestamp, ...body }) => this.#publish('alerts', refusedRow(node.name, timestamp, body)),
    })
    this.#endings.push(() => alerts.stop())

    const identity = { ...node, version: this.#version, startedAt: Date.now() }
    const instance = randomUUID()
    const sources: StatusSources = {
      host,
      service,
      meters,
      store,
      outbound,
      alerts,
      conditions,
      changes,
    }
    const recorder = new StatusRecorder({
      store,
      instance,
      snapshot: () => briefStatus(nodeStatus(sources)),
      onSample: (sample) => metrics.look(sample),
      onFault: (msg) => this.#log.warn('status.not_recorded', msg),
    })
    const metrics = new MetricWatch({
      store,
      rules: rules.metrics,
      onTold: (metric) => this.#log.info(`metric.${metric.state}`, metricLine(metric), { rule: metric.rule }),
    })
    await this.#begin(metrics)
    const { audit, sessions, witness, desk } = await makeCommandPath(
      store,
      {
        node,
        table: {
          ...faultCommands({ service, allowFaults: this.#config.faults.allow }),
          ...resendCommands(outbound.resends),
          ...changeCommands(changes.keeper),
          ...changes.delivery.commands,
        },
        identity: this.#identity,
        log: this.#log,
      },
      (part) => this.#begin(part),
    )
    const metricsText = (): string => {
      const transfer = Object.fromEntries(uplinks.map((uplink) => [uplink.name, uplink.transferLatency()]))
      return renderMetrics({ ...nodeStatus(sources), node: identity, transfer, followed: follow.status() })
    }
    const { serve: metricsOn } = this.#config.metrics
    const live = new LiveServer({
      listen: this.#config.control.listen,
      node: { ...identity, instance },
      intervalMs: this.#config.live.interval,
      maxSessions: this.#config.live.maxSessions,
      snapshot: () => ({ ...briefStatus(nodeStatus(sources)), ...sessions.told() }),
      witness,
      pace: telemetryPace(outbound.pacer),
      read: async (request) => {
        if (request.topic === 'status') await recorder.flush()
        return readRows(store, request)
      },
      search: this.#makeSearcher(store),
      picture: (seq) => readPicture(store, seq, this.#config.control.pictures),
      identity: this.#identity,
      localRights: localRights(this.#config.control.localRole),
      metricsText: metricsOn === 'inference' ? null : metricsText,
      command: (peer, frame) => desk.carryOut(peer, frame),
      log: this.#log,
    })
    this.#live = live
    const { url: liveUrl } = await live.start()
    this.#endings.push(() => live.stop())
    this.#publish = (topic, row) => live.publish(topic, row)
    if (this.#identity !== null) {
      const { startedAt } = identity
      const parts = { own: this.#identity, live, outbound, audit, startedAt, log: this.#log }
      this.#reach = makeReach(this.#config, { ...parts, snapshot: () => nodeStatus(sources) })
      await this.#begin(this.#reach)
    }
    await this.#begin(recorder)
    await this.#begin(follow)

    const keeper = new ResultKeeper({
      filter: rules,
      inputs: new InputChoice(this.#config.inputs),
      store,
      onRefused: ({ timestamp, ...body }) => this.#publish('results', refusedRow(node.name, timestamp, body)),
    })
    const { listen, tls } = this.#config.inference
    const server = new InferenceServer({
      listen,
      tls: inferenceTls(tls, this.#identity),
      nodeName: node.name,
      bodyLimitBytes: this.#config.inference.bodyLimit,
      service,
      keep: (result, picture) => keeper.keep(result, picture),
      meters,
      onAnswered: (picture, outcome) => changes.tap.tap(picture, outcome),
      isReady: () => this.#readiness(service),
      metricsText: metricsOn === 'control' ? null : metricsText,
    })
    const { url: inferUrl } = await server.start()
    const forget = this.#identity?.onChange(() => {
      const renewed = inferenceTls(tls, this.#identity)
      if (renewed !== null) server.renewTls(renewed)
    })
    this.#endings.push(() => forget?.())
    this.#endings.push(() => server.stop(STOP_GRACE_MS))
    await changes.serve(service)
    this.#endings.push(() => changes.stop())
    this.#isServing = true
    this.#log.info('listening', 'listening', { inferUrl, liveUrl, pid: process.pid, epoch: store.epoch })
  }

  /** Finish the requests in flight, commit, close. Every part is ended even if one of them fails. */
  async stop(reason: string): Promise<void> {
    this.#isServing = false
    this.#log.info('stopping', `stopping: ${reason}`)
    for (const end of this.#endings.splice(0).reverse()) {
      try {
        await end()
      } catch (error) {
        this.#log.error('stop_failed', error instanceof Error ? error.message : String(error))
      }
    }
  }

  /** Read the key file anew and go on with its keys; what cannot be used is logged, and the old keys stay. */
  async reloadKeys(): Promise<void> {
    if (this.#keyFile === null || this.#store === null) return
    try {
      const keys = readKeyFile(this.#keyFile)
      await this.#store.changeKeys(keys)
      this.#searcher?.changeKeys(keys)
      this.#tellEncryption(this.#store)
    } catch (error) {
      const msg = error instanceof EdgeError ? error.toLine() : messageOf(error)
      this.#log.error('store.keys_refused', `the old keys stay in force: ${msg}`)
    }
  }

  get #logFolder(): string {
    return join(this.#config.state.dir, 'logs')
  }

  #tellEncryption(store: Store): void {
    const hasPlainLogs = this.#keyFile !== null && existsSync(this.#logFolder)
    for (const { level, event, msg } of encryptionLines(store.status().encryption, hasPlainLogs)) {
      this.#log[level](event, msg)
    }
  }

  async #begin(part: { start(): unknown; stop(): unknown }): Promise<void> {
    this.#endings.push(() => part.stop())
    await part.start()
  }

  async #openStore(): Promise<Store> {
    const store = await openStore({
      dir: join(this.#config.state.dir, 'store'),
      nodeName: this.#config.node.name,
      maxBytes: this.#config.store.maxBytes,
      segmentBytes: this.#config.store.segmentBytes,
      keys: this.#keys(),
      durability: this.#config.store.durability,
      syncEveryMs: this.#config.store.syncEvery,
      floorBytes: this.#config.store.floorBytes,
      limits: keepLimits(this.#config.store.keep),
      awaited: awaitedTargets(this.#config),
      notice: ({ event, msg }) => this.#log.error(event, msg),
    })
    this.#endings.push(() => {
      this.#store = null
      return store.close()
    })
    store.onCommit((records) => {
      for (const record of records) {
        const topic = topicOf(record.class)
        if (topic !== null) this.#publish(topic, record)
      }
    })
    this.#store = store
    const early = this.#early ?? []
    this.#early = null
    for (const record of early) this.#keepLog(record)
    this.#tellEncryption(store)
    for (const { level, event, msg } of durabilityLines(this.#config.store)) this.#log[level](event, msg)
    return store
  }

  #makeSearcher(store: Store): Searcher {
    const { live, logs, state } = this.#config
    const from = forwardedFrom(state.dir, logs.forward)
    const searcher = new Searcher({ store, keys: this.#keys(), share: live.searchPct / 100, forwardedFrom: from })
    this.#searcher = searcher
    this.#endings.push(() => searcher.stop())
    return searcher
  }

  #keys(): StoreKeys | null {
    return this.#keyFile === null ? null : readKeyFile(this.#keyFile)
  }

  /** The service is ended before the store closes, so that what it answers can still be kept. */
  #makeService(meters: InferenceMeters, changes: ChangePath): InferenceService {
    const { inference, faults, models } = this.#config
    const service = new InferenceService({
      batchMax: inference.batchMax,
      queueLimit: inference.queueLimit,
      timeoutMs: inference.timeout,
      pixelLimit: inference.pictureMegapixels * 1e6,
      slowMs: faults.slow,
      loadsQuietly: models.loadPriority === 'low',
      onEvent: (event) => {
        tellService(event, { log: this.#log, meters })
        changes.onService(event)
      },
    })
    this.#endings.push(() => service.stop())
    return service
  }

  #keepLog(record: LogBody): void {
    if (this.#early !== null) {
      this.#early.push(record)
      return
    }
    void this.#appendLog(record)
  }

  async #appendLog({ timestamp, ...body }: Omit<LogRecord, 'seq' | 'node_id'>): Promise<void> {
    const recordClass = body.level === 'error' || body.level === 'fatal' ? 'error' : 'log'
    const appended = await this.#store?.append([{ class: recordClass, timestamp, body }])
    if (!appended?.stored) this.#publish('logs', refusedRow(this.#config.node.name, timestamp, body))
  }

  #readiness(service: InferenceService): Readiness {
    if (!this.#isServing) return { ready: false, reason: 'the node is starting or stopping; try again in a moment' }
    if (!service.isReady()) return { ready: false, reason: 'the process of the model is being started again' }
    return { ready: true }
  }
}
