// A JavaScript app with the Vercel AI SDK: its own telemetry, the stock OTLP exporter, and this collector.
//
//   npm install
//   MODEL_URL=http://127.0.0.1:8089/v1 OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 npm start

import { createOpenAI } from "@ai-sdk/openai";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { generateText, streamText } from "ai";

const sdk = new NodeSDK({ serviceName: "vercel-ai-app", traceExporter: new OTLPTraceExporter() });
sdk.start();

const openai = createOpenAI({ baseURL: process.env.MODEL_URL, apiKey: process.env.OPENAI_API_KEY ?? "none" });
const telemetry = {
  isEnabled: true,
  functionId: "tell-a-story",
  metadata: { userId: "cleo", sessionId: "chat-3", tags: ["example"] },
};

const plain = await generateText({
  model: openai.chat("gpt-4o-mini"),
  prompt: "Tell me about foxes",
  maxOutputTokens: 20,
  experimental_telemetry: telemetry,
});
console.log(plain.text);

const stream = streamText({
  model: openai.chat("gpt-4o"),
  prompt: "And about lazy dogs",
  maxOutputTokens: 30,
  experimental_telemetry: telemetry,
});
for await (const text of stream.textStream) process.stdout.write(text);
console.log();

await sdk.shutdown();
