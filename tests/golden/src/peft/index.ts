import { PEFT_METHODS } from "@weft/methods";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { GoldenCase, Outcome } from "../case.js";
import { runAdaLoraTrace } from "./adalora-trace.js";
import { readJson } from "./files.js";
import { runLayersCase } from "./layers-case.js";
import { runMatchingCase } from "./matching-case.js";
import { runSeveralAdapters, runWeightedCase } from "./several-adapters.js";
import { runModelwideCase } from "./modelwide-case.js";
import { runPromptCase } from "./prompt-case.js";
import type { CaseMeta } from "./subject.js";

interface Meta extends CaseMeta {
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
        if (!existsSync(config)) return runSeveralAdapters(folder, device);
        const { peft_type: type } = readJson<{ peft_type: string }>(config);
        if (name === "adalora_trace") return runAdaLoraTrace(folder, device);
        if (meta.method === "add_weighted_adapter") return runWeightedCase(folder, device);
        const { method, prompt } = PEFT_METHODS.get(type) ?? {};
        if (!method && !prompt) return unsupported(type);
        if (suite === "modelwide") return runModelwideCase(folder, meta, device);
        return (prompt ? runPromptCase : runLayersCase)(folder, meta, device);
      },
    });
  }
  return cases;
}
