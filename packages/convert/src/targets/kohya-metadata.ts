import type { ConvertModule } from "../conversion/convert-module.js";
import { ADAPTER_METADATA, type Family, type Naming } from "@weft/adapter-files/dialects";

/** What sd-scripts calls base models. @see sd-scripts `library/sdxl_model_util.py`, `library/flux_utils.py` */
const BASE_VERSION: { readonly [F in Family]?: string } = { sdxl: "sdxl_base_v1-0", flux: "flux1" };

/** Entries of another dialect, and hashes of other bytes. */
const STALE: ReadonlySet<string> = new Set([ADAPTER_METADATA, "sshs_model_hash", "sshs_legacy_hash", "format"]);

/** A source's metadata without what would be wrong in another file. */
export const keptMetadata = (metadata: ReadonlyMap<string, string>): Map<string, string> =>
  new Map([...metadata].filter(([key]) => !STALE.has(key)));

const uniform = (values: readonly number[]): number | undefined => (new Set(values).size === 1 ? values[0] : undefined);

/** A float as Python writes it: 2.0. */
const python = (x: number): string => (Number.isInteger(x) ? x.toFixed(1) : String(x));

/**
 * The least that kohya's programs look for, where the source does not have it; everything else is kept word for word. "Dynamic" stands for ranks and alphas
 * that differ between modules.
 * @see sd-scripts `library/train_util.py` build_minimum_network_metadata
 */
export function kohyaMetadata(
  source: ReadonlyMap<string, string>,
  modules: readonly ConvertModule[],
  { family }: Naming,
): Map<string, string> {
  const ranked = modules.filter(({ rank }) => rank !== undefined);
  const [rank, alpha] = [uniform(ranked.map((m) => m.rank!)), uniform(ranked.map((m) => m.scale * m.rank!))];
  const lycoris = modules.some(({ method, parameters }) => method !== "LOCON" || parameters.has("lora_mid.weight"));
  const algorithms = new Set(modules.map(({ method }) => method.replace("LYCORIS_", "").replace("_", "-").toLowerCase()));
  const version = family && BASE_VERSION[family];
  const minimum = new Map<string, string>([
    ["ss_v2", "False"],
    ...(version ? ([["ss_base_model_version", version]] as const) : []),
    ["ss_network_module", lycoris ? "lycoris.kohya" : family === "flux" ? "networks.lora_flux" : "networks.lora"],
    ["ss_network_dim", rank === undefined ? "Dynamic" : String(rank)],
    ["ss_network_alpha", alpha === undefined ? "Dynamic" : python(alpha)],
    ["ss_network_args", JSON.stringify(lycoris && algorithms.size === 1 ? { algo: [...algorithms][0] } : {})],
  ]);
  return new Map([...minimum, ...keptMetadata(source)]);
}
