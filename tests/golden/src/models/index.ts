import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Device } from "@weft/tensor-core";
import type { GoldenCase, Outcome } from "../case.js";
import { readJson } from "../peft/files.js";
import { runEncoder } from "./encoder-case.js";
import { runMiniLM } from "./minilm-case.js";
import { runLanguageModel } from "./language-model-case.js";
import { runOptimizers } from "./optimizers-case.js";
import { runSampling } from "./sampling-case.js";
import { runSchedules } from "./schedules-case.js";
import { runSmolLM2 } from "./smollm2-case.js";
import { runTraining } from "./train-case.js";

/** What runs a case, by the `model_type` of its config. */
const RUNNERS: Readonly<Record<string, (folder: string, device: Device) => Promise<Outcome>>> = {
  bert: runEncoder,
  ...Object.fromEntries(
    ["llama", "mistral", "qwen2", "qwen3", "smollm3", "phi3", "gemma2", "gemma3_text", "gpt2", "rwkv", "mamba", "mamba2"].map((type) => [
      type,
      runLanguageModel,
    ]),
  ),
};

/** Cases on real weights, which are not in the repository, by their folder. */
const REAL: Readonly<Record<string, (folder: string, device: Device) => Promise<Outcome>>> = { minilm: runMiniLM, smollm2: runSmolLM2 };

/** The models of a folder that make_models.py wrote, trainings of them, traces of optimisers and schedules, rows that tokens are sampled from, and what was made with real weights. */
export function modelCases(root: string): GoldenCase[] {
  const [optimizers, schedules, sampling] = [join(root, "optimizers"), join(root, "schedules.json"), join(root, "sampling.safetensors")];
  const real = Object.entries(REAL).filter(([name]) => existsSync(join(root, name, "expect.json")));
  return [
    ...wholeModels(root),
    ...(existsSync(optimizers) ? [{ name: "models/optimizers", run: (device: Device) => runOptimizers(optimizers, device) }] : []),
    ...(existsSync(schedules) ? [{ name: "models/schedules", run: () => runSchedules(schedules) }] : []),
    ...(existsSync(sampling) ? [{ name: "models/sampling", run: (device: Device) => runSampling(sampling, device) }] : []),
    ...real.map(([name, run]) => ({ name: `models/${name}`, external: true, run: (device: Device) => run(join(root, name), device) })),
  ];
}

function wholeModels(root: string): GoldenCase[] {
  return readdirSync(root)
    .sort()
    .map((name) => join(root, name))
    .filter((folder) => existsSync(join(folder, "ref.safetensors")) && existsSync(join(folder, "expect.json")))
    .flatMap((folder): GoldenCase[] => {
      const name = `models/${folder.slice(root.length + 1)}`;
      if (existsSync(join(folder, "initial"))) return [{ name, run: (device) => runTraining(folder, root, device) }];
      if (!existsSync(join(folder, "config.json"))) return [];
      return [
        {
          name,
          run(device) {
            const { model_type: type } = readJson<{ model_type: string }>(folder, "config.json");
            const run = Object.hasOwn(RUNNERS, type) ? RUNNERS[type] : undefined;
            return run ? run(folder, device) : Promise.resolve({ status: "unsupported", detail: `model_type ${type}` });
          },
        },
      ];
    });
}
