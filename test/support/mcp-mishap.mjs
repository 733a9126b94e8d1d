import { appendFileSync, readFileSync, unlinkSync } from 'node:fs'
import { IncomingMessage } from 'node:http'
import { Server } from 'node:net'

/**
 * Loaded into the reference servers before their own code, which is left as it is. It keeps a log of what a server is
 * sent, makes it listen on loopback only, and carries out a mishap at the exact point that the test has named: that the
 * server or its client is killed or stopped when a call has come in, or when its answer is about to be written.
 */

const base = process.env['MISHAP_FILES']
appendFileSync(`${base}.begun`, `${process.pid}\n`)
process.once('exit', () => appendFileSync(`${base}.ended`, `${process.pid}\n`))

function mishap(at, tool) {
  let planned
  try {
    planned = JSON.parse(readFileSync(`${base}.mishap`, 'utf8'))
  } catch {
    return
  }
  if (planned.at !== at || planned.tool !== tool) return
  unlinkSync(`${base}.mishap`)
  process.kill(planned.who === 'server' ? process.pid : process.ppid, planned.signal)
}

let called
function receive(chunk) {
  if (chunk === null) return
  const text = Buffer.from(chunk).toString()
  appendFileSync(`${base}.sent`, text.endsWith('\n') ? text : `${text}\n`)
  called = /"method":"tools\/call".*?"name":"([^"]*)"/.exec(text)?.[1] ?? called
  if (called !== undefined) mishap('request', called)
}

for (const stream of [process.stdin, IncomingMessage.prototype]) {
  const { push } = stream
  stream.push = function (chunk, ...rest) {
    receive(chunk)
    return push.call(this, chunk, ...rest)
  }
}

const { write } = process.stdout
process.stdout.write = function (...args) {
  if (called !== undefined) mishap('answer', called)
  return write.apply(this, args)
}

const { listen } = Server.prototype
Server.prototype.listen = function (port, ...rest) {
  this.once('listening', () => appendFileSync(`${base}.port`, `${this.address().port}\n`))
  return listen.call(this, port, '127.0.0.1', ...rest)
}
