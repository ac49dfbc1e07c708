/**
 * Which room may import which, the arrows of docs/architecture.md. A room is the longest key that a file's path starts
 * with (a file stands for itself). A room may always import itself; what is not listed is refused. Rooms that stand beside each other stay apart
 * and meet through `protocol` types or what is handed in.
 */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  settings: ['protocol'],

  'edge-daemon/rules': ['settings', 'protocol'],
  'edge-daemon/config': ['edge-daemon/rules', 'settings', 'protocol'],
  'edge-daemon/models': ['edge-daemon/config', 'settings', 'protocol'],
  'edge-daemon/health': ['edge-daemon/config', 'settings', 'protocol'],
  'edge-daemon/store': ['edge-daemon/config', 'settings', 'protocol'],
  'edge-daemon/logs': ['edge-daemon/store', 'edge-daemon/health', 'edge-daemon/config', 'settings', 'protocol'],
  'edge-daemon/inference': [
    'edge-daemon/models',
    'edge-daemon/store',
    'edge-daemon/health',
    'edge-daemon/config',
    'settings',
    'protocol',
  ],
  'edge-daemon/upstream': ['edge-daemon/store', 'edge-daemon/health', 'edge-daemon/config', 'settings', 'protocol'],
  'edge-daemon/live': ['edge-daemon/store', 'edge-daemon/health', 'edge-daemon/config', 'settings', 'protocol'],
  'edge-daemon': [
    'package.json',
    'edge-daemon/inference',
    'edge-daemon/upstream',
    'edge-daemon/live',
    'edge-daemon/logs',
    'edge-daemon/models',
    'edge-daemon/health',
    'edge-daemon/store',
    'edge-daemon/config',
    'edge-daemon/rules',
    'settings',
    'protocol',
  ],

  'src/config': ['settings', 'protocol'],
  'src/fleet': ['protocol'],
  'src/link': ['src/fleet', 'src/config', 'settings', 'protocol'],
  'src/cloud': ['src/link', 'src/fleet', 'src/config', 'settings', 'protocol'],
  'src/replay': ['src/link', 'src/fleet', 'protocol'],
  'src/actions': ['src/link', 'src/fleet', 'src/config', 'settings', 'protocol'],
  'src/demo': ['src/actions', 'src/link', 'src/fleet', 'src/config', 'settings', 'protocol'],
  'src/ui': ['src/replay', 'src/actions', 'src/link', 'src/fleet', 'src/config', 'settings', 'protocol'],
  'src/commands': [
    'src/ui',
    'src/replay',
    'src/demo',
    'src/cloud',
    'src/actions',
    'src/link',
    'src/fleet',
    'src/config',
    'settings',
    'protocol',
  ],
  src: [
    'package.json',
    'src/commands',
    'src/ui',
    'src/replay',
    'src/demo',
    'src/cloud',
    'src/actions',
    'src/link',
    'src/fleet',
    'src/config',
    'settings',
    'protocol',
  ],
}

/** Packages that only some rooms may import. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  ink: ['src/ui'],
  react: ['src/ui'],
  nats: ['edge-daemon/upstream', 'src/demo', 'src/cloud'],
  '@nats-io/jetstream': ['edge-daemon/upstream', 'src/demo', 'src/cloud'],
  'onnxruntime-node': ['edge-daemon/inference'],
  sharp: ['edge-daemon/inference', 'src/demo'],
  '@marcbachmann/cel-js': ['edge-daemon/rules'],
  ws: ['edge-daemon/live', 'src/link'],
  yaml: ['settings'],
  commander: ['src', 'src/commands'],
}
