import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** llama.cpp by npm's `node-llama-cpp`, as far as it is used. */
interface LlamaCpp {
  getLlama(options: object): Promise<{ loadModel(options: object): Promise<LlamaModel> }>;
}
interface LlamaModel {
  createContext(options: object): Promise<{ getSequence(): LlamaSequence }>;
}
interface LlamaSequence {
  evaluate(tokens: readonly number[], options?: object): AsyncGenerator<number>;
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>;
  clearHistory(): Promise<void>;
}

/** A model in llama.cpp, on the CPU. */
export interface LlamaPeer {
  readonly version: string;
  /** Seconds per token, of an answer or of a prompt. */
  seconds(work: "decode" | "prompt", prompt: number, answer: number): Promise<number>;
}

/** llama.cpp where the checks against other programs have installed it; undefined where they have not. */
export async function llamaCpp(root: string, modelPath: string, threads: number): Promise<LlamaPeer | undefined> {
  const folder = join(root, ".cache/llama/node_modules/node-llama-cpp");
  if (!existsSync(folder)) return undefined;
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
  const { getLlama } = (await import(pathToFileURL(join(folder, "dist/index.js")).href)) as LlamaCpp;
  const llama = await getLlama({ gpu: false, build: "never", progressLogs: false, logLevel: "error", maxThreads: threads });
  const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
  const sequence = (await model.createContext({ contextSize: 512, threads, batchSize: 256 })).getSequence();
  let seed = 0;
  return {
    version,
    async seconds(work, prompt, answer) {
      await sequence.clearHistory();
      seed++;
      const tokens = Array.from({ length: work === "prompt" ? prompt : 8 }, (_, i) => 100 + ((seed * 104_729 + i * 41) % 40_000));
      if (work === "prompt") {
        const start = performance.now();
        await sequence.evaluateWithoutGeneratingNewTokens(tokens);
        return (performance.now() - start) / 1000 / prompt;
      }
      let [count, start] = [0, 0];
      for await (const token of sequence.evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
        start ||= token >= 0 ? performance.now() : 0;
        if (count++ === answer) break;
      }
      return (performance.now() - start) / 1000 / Math.max(1, count - 1);
    },
  };
}
