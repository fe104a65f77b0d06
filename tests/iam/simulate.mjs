// Reads a JSON array of simulations from standard input and writes the array of their results to standard output.
// The first argument is the folder that node_modules is in.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(`${process.argv[2]}/`)
const { runSimulation } = await import(pathToFileURL(require.resolve('@cloud-copilot/iam-simulate')).href)

const results = []
for (const simulation of JSON.parse(readFileSync(0, 'utf8'))) {
  const outcome = await runSimulation(simulation, {})
  results.push(
    outcome.resultType === 'error'
      ? { result: 'error', detail: outcome.errors }
      : { result: outcome.overallResult, ignored: outcome.result?.ignoredContextKeys ?? [] },
  )
}
process.stdout.write(JSON.stringify(results))
