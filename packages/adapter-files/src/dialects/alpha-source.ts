import type { WeightSource } from "@weft/io-safetensors";
import { ADAPTER_WARNINGS, type AdapterWarning } from "../adapter-warning.js";
import { alphaKnown, missingConfig } from "./alpha-errors.js";
import type { DialectName } from "./dialect.js";
import { headerText } from "./diffusers-metadata.js";
import type { OpenAdapterOptions } from "../opened-adapter.js";
import { type RawModule, rankOf } from "./module-of.js";

/** What the user says of alpha. */
export interface AlphaOptions extends Pick<OpenAdapterOptions, "alpha" | "assumeAlpha"> {
  /** A factor on B·A for all modules, in place of alpha: what mlx-lm's config has. */
  readonly scale?: number;
}

/** Where the alphas of a file's modules come from that have none of their own. */
export interface AlphaSource {
  /** Undefined where the scale is 1. */
  readonly alphaOf: (module: RawModule, rank: number) => number | undefined;
  readonly warnings: readonly AdapterWarning[];
  /** Nothing says it. */
  readonly assumed: boolean;
}

/**
 * Finds alpha where modules have none: the user's, mlx-lm's scale, the header's. Without any of them kohya, diffusers, ComfyUI and the rest take
 * scale 1, which is said; for PEFT's and mlx-lm's keys there is no such rule. ai-toolkit leaves alpha out where it is the rank.
 * @throws ConfigError kind `alpha-known` if the user gives what the file says; FormatError kind `missing-config`
 */
export function alphaSource(
  dialect: DialectName,
  weights: WeightSource,
  modules: Iterable<RawModule>,
  { scale, alpha, assumeAlpha = false }: AlphaOptions,
): AlphaSource {
  const ranked = [...modules].filter(({ parameters }) => (rankOf(parameters) ?? 0) > 0);
  const silent = ranked.filter(({ parameters }) => !parameters.has("alpha")).length;
  const inHeader = headerText(weights.metadata) !== undefined;
  const told = scale !== undefined || inHeader || silent < ranked.length;
  if (alpha !== undefined && told) throw alphaKnown(weights.location);
  if (scale !== undefined) return { alphaOf: (_, rank) => scale * rank, warnings: [], assumed: false };
  if (alpha !== undefined) return { alphaOf: () => alpha, warnings: [], assumed: false };
  const none = { alphaOf: () => undefined, assumed: false };
  if (silent === 0 || inHeader || dialect === "ai-toolkit") return { ...none, warnings: [] };
  if (dialect === "mlx") {
    if (!assumeAlpha) throw missingConfig(weights, "mlx-lm's keys", "the scale");
    return { ...none, warnings: [ADAPTER_WARNINGS.unknownAlpha()], assumed: true };
  }
  const header = silent < ranked.length ? undefined : headerAlpha(weights.metadata);
  if (header)
    return {
      alphaOf: header.alphaOf,
      warnings: [ADAPTER_WARNINGS.alphaInHeader(header.text)],
      assumed: false,
    };
  return { ...none, warnings: [ADAPTER_WARNINGS.noAlpha(silent, ranked.length, dialect)] };
}

/** Entries of headers that are alpha: kohya's and musubi-tuner's, and that of programs which have PEFT's names. */
const ALPHAS = ["ss_network_alpha", "lora_alpha"];

/** What a header says of the training: alpha, and kohya's another one for kernels larger than 1. @see sd-scripts `library/train_util.py` */
function headerAlpha(metadata: ReadonlyMap<string, string>): { alphaOf: AlphaSource["alphaOf"]; text: string } | undefined {
  const entry = ALPHAS.find((name) => numberOf(metadata.get(name)) !== undefined);
  if (entry === undefined) return undefined;
  const alpha = numberOf(metadata.get(entry))!;
  const conv = numberOf(/"conv_alpha"\s*:\s*"?([\d.]+)/.exec(metadata.get("ss_network_args") ?? "")?.[1]) ?? alpha;
  const isConv = ({ parameters }: RawModule): boolean =>
    (parameters.get("lora_down.weight")?.shape ?? []).slice(2).some((size) => size > 1);
  return {
    alphaOf: (module) => (isConv(module) ? conv : alpha),
    text: `${entry} = ${alpha}${conv === alpha ? "" : ` (convolutions: ${conv})`}`,
  };
}

/** "Dynamic" and the like are no numbers. */
function numberOf(text: string | undefined): number | undefined {
  const value = text === undefined || text.trim() === "" ? NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}
