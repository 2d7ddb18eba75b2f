import type { OpenedAdapter } from "@weft/adapter-files";
import type { ConvertModule } from "@weft/convert";
import { CapabilityError } from "@weft/tensor-core";

/** An engine that serves adapters from PEFT's files. */
export interface Server {
  readonly name: string;
  /** The largest rank that it loads. */
  readonly maxRank: number;
  /** What to start it with, given the adapter's rank, and what to know of it. */
  advice(rank: number, modules: readonly ConvertModule[]): string[];
}

/** @see vLLM `vllm/config/lora.py` MaxLoRARanks */
const VLLM_RANKS = [8, 16, 32, 64, 128, 256, 320, 512];
/** @see LoRAX `server/lorax_server/utils/sgmv.py` MAX_RANK_CUSTOM: beyond it adapters run one after the other */
const LORAX_BATCHED_RANK = 128;

export const SERVERS: { readonly [T in "vllm" | "lorax"]: Server } = {
  vllm: {
    name: "vLLM",
    maxRank: VLLM_RANKS.at(-1)!,
    advice: (rank) => [`start vLLM with --enable-lora --max-lora-rank ${VLLM_RANKS.find((limit) => limit >= rank)}`],
  },
  lorax: {
    name: "LoRAX",
    maxRank: 65536,
    advice: (rank, modules) => [
      ...(rank > LORAX_BATCHED_RANK
        ? [`rank ${rank} is more than ${LORAX_BATCHED_RANK}: LoRAX does not batch it with other adapters; weft resize makes it smaller`]
        : []),
      ...partialLayers(modules).map(
        (layer) => `LoRAX leaves out ${layer} altogether unless every block has it, and this adapter has it in some only`,
      ),
    ],
  },
};

export const EXPORT_TARGETS = ["vllm", "lorax", "llama-server", "onnx"] as const;
export type ExportTarget = (typeof EXPORT_TARGETS)[number];

/** What `.onnx_adapter` files are read by. */
export const ONNX_ADAPTER: Pick<Server, "name" | "maxRank"> = { name: "onnxruntime", maxRank: Infinity };

/** Kinds of layers that only some of the numbered blocks have. */
function partialLayers(modules: readonly ConvertModule[]): string[] {
  const blocks = new Map<string, Set<number>>();
  for (const { path } of modules) {
    const match = /\.(\d+)\./.exec(path);
    if (!match) continue;
    const kind = path.slice(match.index + match[0].length);
    blocks.set(kind, (blocks.get(kind) ?? new Set()).add(Number(match[1])));
  }
  const most = Math.max(0, ...[...blocks.values()].flatMap((numbers) => [...numbers])) + 1;
  return [...blocks].filter(([, numbers]) => numbers.size < most).map(([kind]) => kind);
}

/** @throws CapabilityError kind `unsupported-by-target` for an adapter that a server does not load, with the reason */
export function assertServed(adapter: OpenedAdapter, modules: readonly ConvertModule[], server: Pick<Server, "name" | "maxRank">): void {
  const refused =
    modules.length === 0
      ? { reason: "the adapter has no LoRA modules", hint: "weft inspect shows what it has" }
      : whyNotServed(adapter, modules, server);
  if (refused) throw new CapabilityError(refused.reason, { kind: "unsupported-by-target", hint: refused.hint });
}

/** What none of these servers loads, and what to do about it. */
function whyNotServed(
  adapter: OpenedAdapter,
  modules: readonly ConvertModule[],
  { name, maxRank }: Pick<Server, "name" | "maxRank">,
): { reason: string; hint: string } | undefined {
  const dora = modules.find(({ parameters }) => parameters.has("dora_scale"));
  if (dora) return { reason: `${name} has no DoRA (${dora.label} has magnitudes)`, hint: "weft merge folds it into the base" };
  const embedding = modules.find((module) => module.embedding);
  if (embedding)
    return {
      reason: `${name} loads LoRA on embeddings for some architectures only, and which these are is not known here (${embedding.label})`,
      hint: "weft merge writes it into the base",
    };
  const saved = [...adapter.modulesToSave.keys(), ...adapter.embeddings.keys(), ...adapter.trainableTokens.keys()][0];
  if (saved !== undefined)
    return {
      reason: `${name} takes no whole tensors beside the factors (modules_to_save: ${saved})`,
      hint: "weft merge writes them into the base",
    };
  const bias = [...adapter.biases.keys()][0] ?? modules.find(({ parameters }) => parameters.has("lora_up.bias"))?.label;
  if (bias !== undefined) return { reason: `${name} takes no trained biases (${bias})`, hint: "weft merge writes them into the base" };
  const conv = modules.find(({ parameters }) => parameters.get("lora_down.weight")!.shape.length > 2);
  if (conv) return { reason: `${name} serves linear layers only (${conv.label} is a convolution)`, hint: "weft merge" };
  const part = modules.find(({ component }) => component !== "model");
  if (part)
    return {
      reason: `${name} serves language models (${part.label} is of an image model's ${part.component})`,
      hint: "weft convert --to diffusers",
    };
  const rank = Math.max(...modules.map((module) => module.rank!));
  if (rank > maxRank) return { reason: `${name} loads ranks up to ${maxRank}, this is ${rank}`, hint: `weft resize --rank ${maxRank}` };
  return undefined;
}
