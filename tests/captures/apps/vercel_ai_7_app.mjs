// Vercel AI SDK 7 with its OpenTelemetry integration and the stock OTLP exporter. Same protocol as app.py.
import readline from 'node:readline'
import { OpenTelemetry } from '@ai-sdk/otel'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import { embed, embedMany, generateText, isStepCount, registerTelemetry, streamText, tool } from 'ai'
import { z } from 'zod'

const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] })
provider.register()
registerTelemetry(new OpenTelemetry())

const [names, identity] = [process.argv[2].split(','), JSON.parse(process.argv[3])]
const url = process.env.MODEL_URL + '/v1'
const openai = createOpenAI({ baseURL: url, apiKey: 'none' })
const anthropic = createAnthropic({ baseURL: url, apiKey: 'none' })
const SHORT = 'say hello to the fox'
const OTHER = 'and now tell me where the lazy dog runs today'
const LONG = Array(10).fill('the quick brown fox jumps over the lazy dog near the old mill').join(' ')
const weather = tool({ description: "Today's weather.", inputSchema: z.object({}), execute: async () => 'sunny' })

async function stream(model, prompt = SHORT) {
  for await (const _ of streamText({ model, prompt, maxRetries: 0 }).textStream);
}

const scenarios = {
  chat: () => generateText({ model: openai.chat('gpt-4o-mini'), prompt: SHORT }),
  stream: () => stream(openai.chat('gpt-4o-mini')),
  cached: () => generateText({ model: openai.chat('o4-mini'), prompt: LONG }),
  responses: () => generateText({ model: openai.responses('gpt-4o'), prompt: LONG }),
  responses_stream: () => stream(openai.responses('gpt-4o')),
  anthropic_cached: () => generateText({ model: anthropic('claude-haiku-4-5'), prompt: LONG, maxOutputTokens: 10 }),
  anthropic_stream: () => stream(anthropic('claude-haiku-4-5'), LONG),
  tool: () =>
    generateText({ model: openai.chat('gpt-4o'), prompt: OTHER, tools: { weather }, stopWhen: isStepCount(3), telemetry: { functionId: 'forecast' } }),
  embed: () => embed({ model: openai.embedding('text-embedding-3-small'), value: SHORT }),
  embed_many: () => embedMany({ model: openai.embedding('text-embedding-3-small'), values: [SHORT, OTHER] }),
  user_session: () =>
    generateText({
      model: openai.chat('gpt-4o-mini'),
      prompt: SHORT,
      runtimeContext: { userId: identity[0], sessionId: identity[1] },
      telemetry: { includeRuntimeContext: { userId: true, sessionId: true } },
    }),
  error_429: () => generateText({ model: openai.chat('gpt-4o-rate-limited'), prompt: SHORT, maxRetries: 0 }).catch(() => {}),
}

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]()
for (const name of names) {
  try {
    await scenarios[name]()
  } catch (error) {
    console.error(error)
    console.log(`FAILED ${name}`)
  }
  await provider.forceFlush()
  console.log(`DONE ${name}`)
  await lines.next()
}
process.exit(0)
