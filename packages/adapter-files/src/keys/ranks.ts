import { ConfigError } from "@weft/tensor-core";
import type { AdapterConfig } from "../config/read-config.js";
import { createModuleConfig, type PatternedConfig } from "../matching/pattern-key.js";
import { type RegexEngine, safeRegex } from "../matching/regex-engine.js";
import type { AdapterModule } from "../opened-adapter.js";

/**
 * Checks the rank that a LoRA config gives each module against the tensors: A [r, …], B [out, r] (r/groups for a grouped convolution,
 * r·experts for `target_parameters`). Other methods do not state ranks that tensors must have: AdaLoRA ignores `r`, and the shapes of the
 * rest are checked by their definition against the base.
 *
 * @throws ConfigError kind `config-mismatch`; kinds of patterns
 */
export function checkRanks(
  config: AdapterConfig,
  modules: Iterable<AdapterModule>,
  { file, engine = safeRegex }: { readonly file?: string; readonly engine?: RegexEngine } = {},
): void {
  if (config.peftType !== "LORA") return;
  const configOf = createModuleConfig(
    config as unknown as PatternedConfig<{ r: number; targetParameters?: readonly string[] | null; useBdlora?: unknown }>,
    engine,
  );
  for (const { path, tensors } of modules) {
    const a = tensors.get("lora_A.weight") ?? tensors.get("lora_embedding_A");
    const b = tensors.get("lora_B.weight") ?? tensors.get("lora_embedding_B");
    const { r, targetParameters, useBdlora } = configOf(path);
    const [rankA, rankB] = [a?.shape[0], b?.shape[1]];
    // Which parameter of the module it is, only its shape in the base tells.
    const parts = new Set((targetParameters ?? []).map((target) => target.slice(target.lastIndexOf(".") + 1)));
    const fits = (rank: number): boolean => rank === r || [...parts].some((part) => rank % configOf(`${path}.${part}`).r === 0);
    // B of a grouped convolution or of block-diagonal LoRA has a fraction of the rank.
    const fraction = (b?.shape.length ?? 0) > 2 || Boolean(useBdlora);
    const agree = rankA === undefined || rankB === undefined || rankA === rankB || (fraction && rankB > 0 && rankA % rankB === 0);
    if (agree && (rankA === undefined || fits(rankA)) && (rankA !== undefined || rankB === undefined || fits(rankB))) continue;
    const shapes = [a, b].flatMap((tensor) =>
      tensor ? [`${tensor.name.slice(tensor.name.indexOf("lora_"))} is [${tensor.shape.join(",")}]`] : [],
    );
    throw new ConfigError(`${path}: the config says r = ${r}, but ${shapes.join(", ")}`, {
      kind: "config-mismatch",
      hint: "give the true rank in r, or in rank_pattern for single modules",
      ...(a ? { tensor: a.name } : {}),
      ...(file ? { file } : {}),
    });
  }
}
