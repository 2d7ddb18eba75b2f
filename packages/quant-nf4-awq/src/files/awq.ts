import { CapabilityError } from "@weft/tensor-core";
import { awq, awqOptions } from "../integer/awq.js";
import type { IntegerFormat } from "../integer/integer-format.js";
import { integerField, ModuleReader, type QuantFiles, tensorsOf } from "./quant-files.js";

/** What AutoAWQ writes: `gemm`; `gemv` is read. @see AutoAWQ `models/_config.py`, `modules/linear` */
export const AWQ_FILES: QuantFiles = {
  method: "awq",
  matches: (tensors, config) => tensors.has("qweight") && config?.quant_method === "awq",
  read(tensors, options) {
    const reader = new ModuleReader(tensors, options);
    const config = options?.config ?? {};
    const version = String(config.version ?? "gemm").toLowerCase();
    const bits = integerField(config, ["bits", "w_bit"], 4);
    if (bits !== 4) throw reader.error("qweight", `has ${bits} bits by the config, expected 4`);
    if (version !== "gemm" && version !== "gemv")
      throw reader.error("qweight", `is laid out as ${JSON.stringify(version)}, expected gemm or gemv`);
    const [first, second] = reader.take("qweight", { dtype: ["I32"], shape: [undefined, undefined] }).shape as [number, number];
    const shape = version === "gemm" ? ([8 * second, first] as const) : ([first, 8 * second] as const);
    const format = awq({ groupSize: integerField(config, ["group_size", "q_group_size"], 128), version });
    return { format, shape, dtype: "f16", parts: reader.parts(format, shape) };
  },
  write(weight) {
    if (awqOptions(weight.format)?.version !== "gemm")
      throw new CapabilityError(`AutoAWQ's checkpoints have no ${weight.format.name}`, {
        kind: "unwritable-format",
        hint: "requantize(weight, awq()) makes one of it",
      });
    return tensorsOf(weight);
  },
  config: (format, skipped) => ({
    quant_method: "awq",
    zero_point: true,
    group_size: (format as IntegerFormat).groupSize,
    bits: 4,
    version: "gemm",
    modules_to_not_convert: skipped ?? null,
  }),
};
