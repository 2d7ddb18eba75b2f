import { statSync } from "node:fs";
import { GenerationEngine, type TokenRequest } from "@weft/generation";
import { createOnnxBackend } from "@weft/kernels-onnx";
import { createWasmBackend } from "@weft/kernels-wasm";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import { ADAPTER_METHODS } from "@weft/methods";
import type { CausalLM } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { getPeftModel } from "@weft/registry";
import { Device } from "@weft/tensor-core";
import { heldMemory } from "../../held-memory.js";
import type { BenchContext, Suite } from "../../context.js";
import { NO_SMOLLM2, smollm2 } from "../../peers/smollm2.js";
import type { Finding } from "../../record.js";
import { type Contestant, takeTurns } from "../../turns.js";
import { llamaCpp } from "./llama-cpp.js";

const THREADS = 2;
/** Tokens of a prompt, and of an answer. */
const PROMPT = 128;
const ANSWER = 32;
const RANK = 8;

/** What each engine is to reach against transformers and llama.cpp, decoding and running prompts. */
const GOALS = {
  wasm: { decode: { torch: 1.5, "llama.cpp": 0.4 }, prompt: { torch: 0.45 } },
  onnx: { decode: { torch: 3, "llama.cpp": 0.8 }, prompt: { torch: 1.5 } },
} as const;
type EngineName = keyof typeof GOALS;

const OPEN: Readonly<Record<EngineName, () => Promise<Device>>> = {
  async wasm() {
    enableRelaxedSimd();
    return new Device(await createWasmBackend({ threads: THREADS, activations: "int8" }));
  },
  onnx: async () => new Device(await createOnnxBackend({ threads: THREADS, activations: "int8" })),
};

export const generateSuite: Suite = {
  name: "generate",
  summary: "tokens of a real 135M model in Q4_1: weft against transformers in f32 and llama.cpp",
  async run(context) {
    const path = smollm2(context.root);
    if (path === undefined) return context.note(NO_SMOLLM2);
    const peers = await peersOf(path, context);
    for (const name of ["wasm", "onnx"] as const)
      if (context.only === "" || name.includes(context.only)) await measure(name, path, peers, context);
  },
};

type Work = "decode" | "prompt";
/** Others that do the same work, which give seconds per token. */
type Peer = { readonly name: "torch" | "llama.cpp"; seconds(work: Work): Promise<number> };

async function peersOf(path: string, context: BenchContext): Promise<Peer[]> {
  const peers: Peer[] = [];
  const python = await context.python();
  if (python?.versions["transformers"] !== undefined && python.versions["gguf"] !== undefined) {
    await python.call({ cmd: "model", file: path, threads: THREADS });
    peers.push({
      name: "torch",
      seconds: async (work) => (await python.call({ cmd: "generate", work, prompt: PROMPT, answer: ANSWER }))["seconds"] as number,
    });
  } else context.note("there is no Python with torch, transformers and gguf");
  const llama = await llamaCpp(context.root, path, THREADS);
  if (llama) {
    context.version("node-llama-cpp", llama.version);
    peers.push({ name: "llama.cpp", seconds: (work) => llama.seconds(work, PROMPT, ANSWER) });
  } else context.note("node-llama-cpp is not here: npm run test:python fetches it");
  return peers;
}

/** Tokens that repeat nothing. */
const prompt = (length: number, seed: number): number[] => Array.from({ length }, (_, i) => 100 + ((seed * 7919 + i * 37) % 40_000));

function choose(logits: Float32Array): { token: number; done: boolean } {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return { token: best, done: false };
}

function request(tokens: readonly number[], maxNewTokens: number, more: Partial<TokenRequest> = {}): TokenRequest {
  return { tokens, maxNewTokens, choose, ...more };
}

/** Seconds a token. */
async function timed(work: () => Promise<unknown>, tokens: number): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000 / tokens;
}

async function measure(name: EngineName, path: string, peers: readonly Peer[], context: BenchContext): Promise<void> {
  const device = await OPEN[name]();
  const base = heldMemory();
  const started = performance.now();
  const model = await loadPretrained(path, { device });
  const loaded = performance.now();
  const engine = new GenerationEngine(model, { maxBatch: 8 });
  await engine.run(request(prompt(32, 0), 1));
  const first = performance.now();
  const single = (value: number, what: string, unit: string, goal: string, met: boolean): void =>
    context.emit({ suite: "generate", case: `${name}, ${what}`, metric: "time", value, unit, anchor: null, ratio: null, goal, met });
  single((loaded - started) / 1000, "load", "s", "≤ 1 s", loaded - started <= 1000);
  single((first - loaded) / 1000, "first token of 32", "s", "≤ 1.5 s", first - loaded <= 1500);

  let seed = 0;
  const ours: Readonly<Record<Work, () => Promise<number>>> = {
    // What a prompt of one more token costs is not counted.
    async decode() {
      let begun = 0;
      const answer = request(prompt(8, ++seed), ANSWER + 1, { choose: (logits) => ((begun ||= performance.now()), choose(logits)) });
      await engine.run(answer);
      return (performance.now() - begun) / 1000 / ANSWER;
    },
    prompt: () => timed(() => engine.run(request(prompt(PROMPT, ++seed), 1)), PROMPT),
  };
  for (const work of ["decode", "prompt"] as const) {
    const contestants: Contestant[] = [
      { name, turn: ours[work] },
      ...peers.map((peer) => ({ name: peer.name, turn: () => peer.seconds(work) })),
    ];
    const times = await takeTurns(contestants, { rounds: context.quick ? 1 : context.rounds, seconds: 1 });
    const mine = times.get(name)!;
    const finding = (who: string, best: number): Pick<Finding, "suite" | "case" | "metric" | "value" | "unit"> => ({
      suite: "generate",
      case: `${work === "decode" ? "decode" : `prompt of ${PROMPT}`}, ${who}`,
      metric: "speed",
      value: 1 / best,
      unit: "tokens/s",
    });
    for (const peer of peers) {
      const { best } = times.get(peer.name)!;
      context.emit({ ...finding(peer.name, best), anchor: null, ratio: null });
      const ratio = best / mine.best;
      const goal = (GOALS[name][work] as { readonly [peer: string]: number })[peer.name];
      context.emit({
        ...finding(name, mine.best),
        anchor: peer.name,
        ratio,
        ...(goal !== undefined && { goal: `≥ ${goal} ×`, met: ratio >= goal }),
      });
    }
    if (peers.length === 0) context.emit({ ...finding(name, mine.best), anchor: null, ratio: null });
  }
  const held = heldMemory() - base;
  single(held / statSync(path).size, "memory after it, as a share of the file", "×", "≤ 1.3", held <= 1.3 * statSync(path).size);
  await engine.dispose();
  await mixedBatch(name, model, context);
  device.dispose();
}

/** Eight requests with four adapters at once, against one after the other. */
async function mixedBatch(name: EngineName, model: CausalLM, context: BenchContext): Promise<void> {
  const config = { peftType: "LORA", r: RANK, targetModules: "all-linear", initLoraWeights: false };
  const peft = await getPeftModel(model, config as never, { methods: ADAPTER_METHODS, seed: 0 });
  const adapters = ["default", "b", "c", "d"];
  for (const [i, adapter] of adapters.slice(1).entries()) await peft.addAdapter(adapter, config as never, { seed: i + 1 });
  const engine = new GenerationEngine(peft as never, { adapters, maxBatch: 8 });
  let seed = 0;
  const run = (count: number): Promise<number> => {
    const start = performance.now();
    const requests = Array.from({ length: count }, (_, i) => request(prompt(8, ++seed), ANSWER, { adapter: adapters[i % 4]! }));
    return Promise.all(requests.map((one) => engine.run(one))).then(() => (performance.now() - start) / 1000 / (count * ANSWER));
  };
  const times = await takeTurns(
    [1, 8].map((count) => ({ name: `${count}`, turn: () => run(count) })),
    { rounds: context.quick ? 1 : context.rounds, seconds: 1 },
  );
  const [one, eight] = [times.get("1")!.best, times.get("8")!.best];
  const ratio = one / eight;
  const common = { suite: "generate", metric: "speed", unit: "tokens/s" };
  context.emit({ ...common, case: `one request with an adapter, ${name}`, value: 1 / one, anchor: null, ratio: null });
  context.emit({
    ...common,
    case: `eight requests with four adapters, ${name}`,
    value: 1 / eight,
    anchor: "one request",
    ratio,
    goal: "≥ 4 ×",
    met: ratio >= 4,
  });
  await engine.dispose();
}
