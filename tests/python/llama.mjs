// What llama.cpp gives, through node-llama-cpp: probabilities of the next token behind ids, perhaps with a LoRA, ids of texts, or their embeddings. One request as JSON, one answer.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { module, what, model: modelPath, ids, texts, lora } = JSON.parse(process.argv[2]);
const { getLlama } = await import(pathToFileURL(join(module, "dist/index.js")).href);
const llama = await getLlama({ gpu: false, build: "never", progressLogs: false, logLevel: "error" });
const model = await llama.loadModel({ modelPath });
if (what === "ids") process.stdout.write(`${JSON.stringify(texts.map((text) => [...model.tokenize(text)]))}\n`);
else if (what === "embed") {
  const context = await model.createEmbeddingContext({ contextSize: 64 });
  const vectors = [];
  for (const text of texts) vectors.push((await context.getEmbeddingFor(text)).vector);
  process.stdout.write(`${JSON.stringify(vectors)}\n`);
} else {
  const context = await model.createContext({ contextSize: 64, ...(lora && { lora: { adapters: [{ filePath: lora }] } }) });
  const last = ids.length - 1;
  const out = await context
    .getSequence()
    .controlledEvaluate(ids.map((id, i) => (i === last ? [id, { generateNext: { probabilities: true } }] : id)));
  const { probabilities } = out.at(-1).next;
  const dense = [];
  for (const [token, p] of probabilities) dense[token] = p;
  process.stdout.write(`${JSON.stringify(Array.from(dense, (p) => p ?? 0))}\n`);
}
await llama.dispose();
