// Starts a bundle on the pinned runtime, whichever Node runs this file (plain ES5-era syntax, so that any can).
'use strict'
var fs = require('node:fs')
var path = require('node:path')
var spawn = require('node:child_process').spawn

var OLDEST_MAJOR = 24
var root = path.dirname(__dirname)

function fail(message) {
  process.stderr.write(message + '\n')
  process.exit(78)
}

module.exports = function launch(name) {
  var bundle = path.join(root, 'dist', name + '.js')
  if (!fs.existsSync(bundle)) fail(name + ': not built yet. Run: npm --prefix ' + JSON.stringify(root) + ' run build')
  if (Number(process.versions.node.split('.')[0]) >= OLDEST_MAJOR) {
    import(require('node:url').pathToFileURL(bundle).href)
    return
  }
  var pinned = path.join(root, 'node_modules', 'node', 'bin', 'node')
  if (!fs.existsSync(pinned)) {
    fail(
      name +
        ': needs Node ' +
        OLDEST_MAJOR +
        ', this is ' +
        process.version +
        '. Run: npm --prefix ' +
        JSON.stringify(root) +
        ' ci',
    )
  }
  var watch = path.join(__dirname, 'end-with-launcher.cjs')
  var child = spawn(pinned, ['--require', watch, bundle].concat(process.argv.slice(2)), {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  var signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']
  signals.forEach(function forward(signal) {
    process.on(signal, () => {
      child.kill(signal)
    })
  })
  child.on('error', (error) => {
    fail(
      name +
        ': the pinned runtime does not start: ' +
        error.message +
        '. Run: npm --prefix ' +
        JSON.stringify(root) +
        ' ci',
    )
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    signals.forEach((known) => {
      process.removeAllListeners(known)
    })
    process.kill(process.pid, signal)
  })
}
