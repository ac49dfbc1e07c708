// Preloaded into a program that launch.cjs started: nobody forwards signals to it once its launcher was killed, and a
// daemon left behind would keep its ports and its store from the next one. What befell the launcher befalls the daemon;
// the console hangs up, so that it gives the terminal back and ends what it started.
'use strict'
var path = require('node:path')
var isMainThread = require('node:worker_threads').isMainThread

if (isMainThread && process.channel) {
  process.once('disconnect', () => {
    process.kill(process.pid, path.basename(process.argv[1]) === 'edge-daemon.js' ? 'SIGKILL' : 'SIGHUP')
  })
  process.channel.unref()
}
