import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { PEFT_METHODS } from "@weft/registry";
import type { GoldenCase, Outcome } from "../case.js";
import { runAdaLoraTrace } from "./adalora-trace.js";
import { readJson } from "./files.js";
import { runLlamaCase } from "./llama-case.js";
import { runMatchingCase } from "./matching-case.js";
import { type NetMeta, runNetCase } from "./net-case.js";

interface Meta extends NetMeta {
  readonly case: string;
  readonly method: string;
}

const unsupported = (detail: string): Promise<Outcome> => Promise.resolve({ status: "unsupported", detail });

/** The cases of a folder that make_peft.py or make_variants.py wrote. */
export function peftCases(root: string, suite = "peft"): GoldenCase[] {
  const cases: GoldenCase[] = [];
  for (const name of readdirSync(root).sort()) {
    const folder = join(root, name);
    if (name === "target_matching.json") cases.push({ name: "peft/target_matching", run: () => runMatchingCase(folder) });
    if (!existsSync(join(folder, "case.json"))) continue;
    cases.push({
      name: `${suite}/${name}`,
      run(device) {
        const meta = readJson<Meta>(folder, "case.json");
        const config = join(folder, "adapter_config.json");
        if (!existsSync(config)) return unsupported(`several adapters (${meta.method})`);
        const { peft_type: type, alora_invocation_tokens: alora } = readJson<{ peft_type: string; alora_invocation_tokens?: unknown }>(
          config,
        );
        if (name === "adalora_trace") return runAdaLoraTrace(folder, device);
        if (meta.method === "add_weighted_adapter") return unsupported("combining adapters");
        if (!PEFT_METHODS.get(type)?.method || alora) return unsupported(alora ? "aLoRA" : type);
        return meta.base === "llama_base" ? runLlamaCase(folder, join(root, "llama_base"), meta, device) : runNetCase(folder, meta, device);
      },
    });
  }
  return cases;
}
