#!/usr/bin/env node
import { processIo } from './io.ts'
import { runProgram } from './program.ts'

const code = await runProgram(process.argv.slice(2), processIo())
// Tools that were called off may still hold the process; what they do has no effect on the job any more.
process.exit(code)
