import { hostname } from 'node:os'
import { LOG_LEVELS } from '../../protocol/records.ts'
import { ROLES } from '../../protocol/rights.ts'
import {
  address,
  duration,
  flag,
  number,
  oneOf,
  optional,
  optionalNumber,
  optionalText,
  optionalUrl,
  size,
  text,
  textList,
} from '../../settings/kinds.ts'
import { setting, type Values } from '../../settings/table.ts'
import { ABNORMAL_METRICS, METRIC_VARIABLES } from '../rules/metric-rules.ts'
import { ABNORMAL_RESULTS, RESULT_VARIABLES, RULE_ERROR } from '../rules/result-rules.ts'
import { ruleList } from '../rules/rule.ts'
import { followedFiles, patternList } from './followed-logs.ts'
import { regionList } from './regions.ts'

const DAY_MS = 86_400_000

/** Limits of one class of records; nulls where only `store.maxBytes` bounds it. */
function keep(maxBytes: number | null, maxAgeMs: number | null, what: string) {
  return {
    maxBytes: setting(
      optional(size({ minBytes: 10_000, maxBytes: 1e13 })),
      maxBytes,
      `Most bytes of ${what} to keep; none for no limit but store.maxBytes.`,
    ),
    maxAge: setting(
      optional(duration({ minMs: 10_000, maxMs: 3650 * DAY_MS })),
      maxAgeMs,
      `How long to keep ${what}, up to half as long again; none for no limit.`,
    ),
  }
}

/** As long as a Kubernetes node's name may be; every record carries it. */
const NAME = { maxChars: 253 }

/** Every setting of the daemon and its default, the one place where they stand. A path is the key in the file. */
export const SETTINGS = {
  node: {
    name: setting(text(NAME), hostname(), 'Name of this node, unique in its site.'),
    site: setting(text(NAME), 'default', 'Site this node belongs to.'),
  },
  inference: {
    listen: setting(
      address(),
      { host: '0.0.0.0', port: 5000 },
      'Where devices send pictures. Port 0 takes a free one.',
    ),
    tls: {
      cert: setting(
        optionalText(),
        null,
        "Serve devices over TLS 1.3 with this PEM file, or `fleet` for the node's own certificate; null for plain HTTP.",
      ),
      key: setting(optionalText(), null, 'PEM file with the key of `inference.tls.cert`; not for `fleet`.'),
    },
    bodyLimit: setting(size({ minBytes: 1024, maxBytes: 100e6 }), 10e6, 'Largest request body.'),
    pictureMegapixels: setting(number({ min: 0.1, max: 200 }), 40, 'Largest picture, in megapixels.'),
    queueLimit: setting(number({ min: 1, max: 10_000, integer: true }), 512, 'Requests that may wait; more get 503.'),
    batchMax: setting(number({ min: 1, max: 256, integer: true }), 32, 'Most pictures in one run of the model.'),
    timeout: setting(
      duration({ minMs: 100, maxMs: 300_000 }),
      10_000,
      'Longest a request may take before it gets 500.',
    ),
  },
  control: {
    listen: setting(
      address(),
      { host: '127.0.0.1', port: 5443 },
      'Where consoles connect; loopback only until the node has joined a fleet.',
    ),
    pictures: setting(oneOf('allow', 'deny'), 'allow', 'Whether consoles may fetch the pictures that are kept.'),
    localRole: setting(
      oneOf(...ROLES),
      'admin',
      'What who comes over plain loopback may do, on a node that has not joined a fleet; only admin has the permissions data and shell.',
    ),
  },
  metrics: {
    serve: setting(
      oneOf('control', 'inference', 'both'),
      'control',
      'Which listener answers `/metrics`: control, to whoever has a certificate of the fleet (or is on this machine, before joining); inference, to everybody.',
    ),
  },
  models: {
    dir: setting(text(), '/var/lib/edgedeck/models', 'Folder that holds one folder a model.'),
    serve: setting(
      optionalText(),
      null,
      'Model to serve, `name` or `name@version`; needed when the folder holds several.',
    ),
    trust: setting(
      textList(),
      [],
      'Who may sign packages for this node: PEM files of Ed25519 public keys, or such keys in base64; empty takes no packages by delivery.',
    ),
    requireSignature: setting(
      flag(),
      false,
      'Serve from `models.dir` only folders that are packages signed by a key of `models.trust`.',
    ),
    variant: setting(
      text({ maxChars: 64 }),
      'auto',
      'Variant or precision of a model to serve, e.g. `fp32` or `int8`; `auto` for the fastest as measured on this node.',
    ),
    maxAccuracyLoss: setting(
      optionalNumber({ min: 0, max: 100 }),
      null,
      'Points of accuracy that a faster variant may be below the best; null for what the model itself allows.',
    ),
    loadPriority: setting(
      oneOf('low', 'normal'),
      'low',
      'What a model that is loaded takes of the cores while another one serves: `low` for 10 s only what is left over, where the node may lift it again (`LimitNICE`), `normal` its share.',
    ),
    shadowPriority: setting(
      oneOf('idle', 'low', 'normal'),
      'idle',
      'What a model that runs in shadow takes of the cores: `idle` only what nobody else wants, `low` a little also on a busy node, `normal` its share.',
    ),
  },
  delivery: {
    maxKbps: setting(
      optionalNumber({ min: 8, max: 10_000_000 }),
      null,
      'Most at which packages are brought here, in thousands of bits a second; null for `upstream.maxUplinkKbps`, where that is set.',
    ),
    keepFree: setting(
      size({ minBytes: 0, maxBytes: 1e13 }),
      200e6,
      'What a package must leave free on the disk for results and logs; else it is refused before it is fetched.',
    ),
    ca: setting(
      optionalText(),
      null,
      "PEM file of who signed the certificates of HTTPS sources, or `platform`; null for the fleet's roots once joined, else the platform's authorities.",
    ),
  },
  state: {
    dir: setting(text(), '/var/lib/edgedeck', 'Where results, cursors and logs are kept.'),
  },
  store: {
    maxBytes: setting(
      size({ minBytes: 1e6, maxBytes: 1e13 }),
      2e9,
      'Most the log may hold; then records go, normal results first. The reserve and a copy while segments are rewritten come on top, a segment each.',
    ),
    floorBytes: setting(
      size({ minBytes: 0, maxBytes: 1e13 }),
      64e6,
      'What the log keeps for itself on a disk that others fill; below it, new records are not kept.',
    ),
    segmentBytes: setting(size({ minBytes: 65_536, maxBytes: 1e9 }), 16e6, 'Size at which a new segment begins.'),
    durability: setting(
      oneOf('sync', 'async'),
      'sync',
      '`sync` answers once the disk has it; `async` before, and a power cut loses up to `store.syncEvery`.',
    ),
    syncEvery: setting(
      duration({ minMs: 10, maxMs: 60_000 }),
      100,
      'Longest that `async` leaves an answered record unsynced.',
    ),
    keyFile: setting(
      optionalText(),
      null,
      'File with the keys that seal the store; null for the systemd credential `edgedeck-store-keys`, or no encryption.',
    ),
    keep: {
      normal: keep(null, 7 * DAY_MS, 'normal results'),
      abnormal: keep(null, 30 * DAY_MS, 'abnormal results'),
      stat: keep(null, 30 * DAY_MS, 'statistics'),
      alert: keep(null, 365 * DAY_MS, 'alerts'),
      metric: keep(null, 30 * DAY_MS, 'abnormal metrics'),
      ledger: keep(20e6, 365 * DAY_MS, 'ledger notes'),
      audit: keep(100e6, null, 'audit records of who did what'),
      log: keep(500e6, 7 * DAY_MS, 'log lines below error'),
      error: keep(500e6, 7 * DAY_MS, 'log lines of errors'),
      sample: keep(50e6, 300_000, 'metrics of each second'),
      minute: keep(50e6, DAY_MS, 'metrics of each minute'),
      input: keep(200e6, 7 * DAY_MS, 'pictures'),
    },
  },
  filter: {
    abnormal: setting(
      ruleList({ variables: RESULT_VARIABLES, reserved: [RULE_ERROR], holds: false }),
      ABNORMAL_RESULTS,
      'Rules (CEL) by which a result is abnormal; the first that holds is its reason.',
    ),
    metrics: setting(
      ruleList({ variables: METRIC_VARIABLES, reserved: [], holds: true }),
      ABNORMAL_METRICS,
      "Rules (CEL) by which the node's metrics are abnormal, and so go up.",
    ),
    metricsRepeat: setting(
      duration({ minMs: 10_000, maxMs: 86_400_000 }),
      600_000,
      'How often an abnormal metric that goes on is told again.',
    ),
    minConfidence: setting(number({ min: 0, max: 1 }), 0.6, 'A result less confident than this is abnormal.'),
    abnormalPerSec: setting(
      number({ min: 0, max: 100_000, integer: true }),
      200,
      'Abnormal results that go up each second; more are counted in a statistic.',
    ),
    aggregateCount: setting(number({ min: 1, max: 100_000, integer: true }), 100, 'Normal results in one statistic.'),
    aggregateEvery: setting(
      duration({ minMs: 1000, maxMs: 3_600_000 }),
      60_000,
      'Longest a statistic may wait to be full.',
    ),
  },
  inputs: {
    keepAbnormal: setting(flag(), true, 'Keep the pictures of abnormal results on the node.'),
    sampleEvery: setting(
      number({ min: 0, max: 1_000_000, integer: true }),
      0,
      'Keep every so many-th picture of the normal results too; 0 for none.',
    ),
    maxBytes: setting(size({ minBytes: 1000, maxBytes: 2.5e6 }), 2e6, 'Largest picture that is kept.'),
    bytesPerSec: setting(
      size({ minBytes: 1000, maxBytes: 100e6 }),
      256_000,
      'Pictures that may be kept each second; a minute of it may come at once.',
    ),
  },
  upstream: {
    nats: {
      servers: setting(textList(), [], 'NATS servers, e.g. ["nats://cloud:4222"]; empty for none.'),
      stream: setting(optionalText(), null, 'Stream that blocks go to; null for the one that holds their subjects.'),
      domain: setting(optionalText(), null, "JetStream domain of the stream; null for the server's own."),
      credentials: setting(
        optionalText(),
        null,
        "File with the credentials (.creds) for the servers; null for those of the node's identity, or none.",
      ),
      ca: setting(
        optionalText(),
        null,
        "PEM file of who signed the servers' certificates; null for the fleet's roots, or the platform's authorities.",
      ),
      createStream: setting(flag(), false, 'Make the stream when there is none, as `edgedeck nats setup` would.'),
      syncedAfter: setting(
        duration({ minMs: 0, maxMs: 86_400_000 }),
        150_000,
        "How long the bus must hold a block before it has surely synced it: a little over the server's sync_interval.",
      ),
    },
    regions: setting(
      regionList(),
      [],
      'Regions of the cloud in order of preference: [{name: eu, servers: ["nats://eu:4222"]}, …].',
    ),
    regionMode: setting(
      oneOf('failover', 'all'),
      'failover',
      'Whether blocks go to the first region that is reached, or to all of them.',
    ),
    http: {
      url: setting(optionalUrl(), null, 'Where blocks are posted over HTTP; null for nowhere.'),
      ca: setting(
        optionalText(),
        null,
        "PEM file of who signed the receiver's certificate, or `platform`; null for the fleet's roots once joined, else the platform's authorities.",
      ),
    },
    insecure: setting(
      flag(),
      false,
      'Let blocks leave this machine in plain (http://, nats:// without TLS), where the network is protected otherwise; always shown.',
    ),
    encoding: setting(
      oneOf('auto', 'gzip', 'zstd'),
      'auto',
      'How blocks are compressed; auto is zstd where the receiver says it takes it, else gzip.',
    ),
    blockBytes: setting(
      size({ minBytes: 1024, maxBytes: 4 * 1024 * 1024 }),
      1024 * 1024,
      'Largest block before compression; a slow link gets smaller ones.',
    ),
    maxUplinkKbps: setting(
      optionalNumber({ min: 8, max: 10_000_000 }),
      null,
      'Most that leaves the node, in thousands of bits a second, blocks and consoles together; null for no cap.',
    ),
    ackTimeout: setting(duration({ minMs: 500, maxMs: 120_000 }), 5000, 'How long an acknowledgement may take.'),
  },
  health: {
    nodeExporter: setting(optionalUrl(), null, 'A node-exporter to read the host from; null for the built-in meters.'),
    interval: setting(duration({ minMs: 200, maxMs: 60_000 }), 1000, 'How often the host is measured.'),
  },
  live: {
    interval: setting(duration({ minMs: 200, maxMs: 60_000 }), 1000, 'Time between status frames to those who look.'),
    maxSessions: setting(number({ min: 1, max: 1000, integer: true }), 64, 'Consoles at the same time.'),
    searchPct: setting(
      number({ min: 1, max: 100 }),
      50,
      'Most of one core that all searches of kept log lines take together, in percent; they run at the lowest priority besides.',
    ),
  },
  alerts: {
    cpuPct: setting(number({ min: 1, max: 100 }), 80, 'CPU over this many percent raises an alert.'),
    latency: setting(duration({ minMs: 1, maxMs: 60_000 }), 50, 'Inference p99 over this raises an alert.'),
    diskPct: setting(number({ min: 1, max: 100 }), 90, 'A disk fuller than this many percent raises an alert.'),
    after: setting(
      duration({ minMs: 0, maxMs: 86_400_000 }),
      30_000,
      'How long a fault must last before it is an alert.',
    ),
    clearAfter: setting(
      duration({ minMs: 0, maxMs: 86_400_000 }),
      60_000,
      'How long it must be gone before the alert is.',
    ),
  },
  log: {
    level: setting(oneOf(...LOG_LEVELS), 'info', 'Least severe level that is logged.'),
    maxBytes: setting(size({ minBytes: 10_000, maxBytes: 1e9 }), 10e6, 'Size at which the log file is rotated.'),
    files: setting(number({ min: 1, max: 100, integer: true }), 5, 'Rotated log files that are kept.'),
  },
  logs: {
    files: setting(
      followedFiles(),
      [],
      'Log files to follow: [{path: /var/log/nginx/*.log, source: nginx, format: auto, multiline: "^START"}], all but path optional.',
    ),
    containers: {
      dir: setting(optionalText(), null, 'Folder of container logs to follow, /var/log/containers; null for none.'),
      format: setting(
        oneOf('auto', 'cri', 'docker'),
        'auto',
        'How the container runtime writes lines; auto looks at each.',
      ),
    },
    journald: {
      units: setting(textList(), [], 'Units whose journal is followed, e.g. ["nginx.service"]; ["*"] for all of it.'),
    },
    from: setting(
      oneOf('end', 'start'),
      'end',
      'Where to begin in what is there when the daemon follows it for the first time; files that appear later are read from their start.',
    ),
    forward: setting(
      oneOf(...LOG_LEVELS, 'none'),
      'error',
      'Least severe level of lines that go up; others stay on the node.',
    ),
    before: setting(
      number({ min: 0, max: 32, integer: true }),
      5,
      'Lines of its source that a line which goes up takes along, of those just before it that did not go up.',
    ),
    redact: setting(
      patternList(),
      [],
      'Patterns (RE2) of secrets to cut out of lines, besides the built-in list: passwords, tokens, keys, cookies.',
    ),
    maxLine: setting(
      size({ minBytes: 1024, maxBytes: 65_536 }),
      32_768,
      'Most that is kept of a line; the rest is counted in `cut_chars`.',
    ),
    bytesPerSec: setting(
      size({ minBytes: 10_000, maxBytes: 1e9 }),
      4e6,
      'Most that is read of all logs each second, so that inference comes first; lines beyond wait in their files.',
    ),
  },
  faults: {
    allow: setting(flag(), false, 'Let a console set declared faults, for demos and drills. They are always shown.'),
    slow: setting(duration({ minMs: 0, maxMs: 60_000 }), 0, 'Declared fault: added to every run of the model.'),
  },
} as const

/** The configuration in force: durations in ms, sizes in bytes. */
export type DaemonConfig = Values<typeof SETTINGS>
