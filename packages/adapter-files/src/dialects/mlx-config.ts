import { ConfigError } from "@weft/tensor-core";

type Fields = { readonly [field: string]: unknown };

/** True for the `adapter_config.json` of mlx-lm, which has no `peft_type`. */
export const isMlxConfig = (fields: Fields): boolean =>
  fields["peft_type"] === undefined &&
  fields["peftType"] === undefined &&
  (fields["fine_tune_type"] !== undefined || fields["lora_parameters"] !== undefined);

/** The factor on B·A that mlx-lm's config states; it is no alpha, and the rank has no part in it. @throws ConfigError kind `config-schema` */
export function mlxScale(fields: Fields, file?: string): number {
  const fail = (message: string): ConfigError => new ConfigError(message, { kind: "config-schema", ...(file && { file }) });
  const type = fields["fine_tune_type"] ?? "lora";
  if (type !== "lora" && type !== "dora") throw fail(`fine_tune_type is ${JSON.stringify(type)}, expected lora or dora`);
  const { scale } = (fields["lora_parameters"] ?? {}) as { scale?: unknown };
  if (typeof scale !== "number" || !Number.isFinite(scale))
    throw fail(`lora_parameters.scale is ${JSON.stringify(scale)}, expected a number`);
  return scale;
}
