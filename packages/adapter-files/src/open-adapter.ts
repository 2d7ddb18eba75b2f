import { refuseZero3 } from "@weft/io-safetensors";
import { parseConfigJson } from "./config/json.js";
import { alphaKnown } from "./dialects/alpha-errors.js";
import { isMlxConfig, mlxScale } from "./dialects/mlx-config.js";
import { openPeft } from "./open-peft.js";
import type { AdapterSource, OpenAdapterOptions, OpenedAdapter } from "./opened-adapter.js";

/**
 * Opens an adapter of any dialect; only headers and scalars are read. With PEFT's config: PEFT's. With mlx-lm's config: its. Without a config the
 * keys decide: kohya, LyCORIS, diffusers, ComfyUI and so on.
 *
 * @throws ConfigError and FormatError of `openPeft` and `openDialect`
 */
export async function openAdapter(source: AdapterSource, options: OpenAdapterOptions): Promise<OpenedAdapter> {
  const { weights, config } = source;
  refuseZero3(weights);
  // The key schemes of other programs take as much room as the rest: they are loaded for files that need them.
  if (config === undefined) return (await import("./dialects/open-dialect.js")).openDialect(weights, options);
  if (options.alpha !== undefined) throw alphaKnown(options.file ?? weights.location);
  const fields = typeof config === "string" || config instanceof Uint8Array ? parseConfigJson(config, options.file) : config;
  if (isMlxConfig(fields))
    return (await import("./dialects/open-dialect.js")).openDialect(weights, {
      ...options,
      dialect: "mlx",
      scale: mlxScale(fields, options.file),
    });
  return openPeft({ config: fields, weights }, options);
}
