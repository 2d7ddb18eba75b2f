import { CapabilityError } from "@weft/tensor-core";
import { asInts, bytesOf } from "../bytes.js";
import { type GptqOptions, gptq, gptqOptions } from "../integer/gptq.js";
import { groupCount, type IntegerFormat, neighbours } from "../integer/integer-format.js";
import { integerField, ModuleReader, type QuantFiles, tensorsOf } from "./quant-files.js";

const METHODS: ReadonlySet<unknown> = new Set(["gptq", "auto-round"]);

/** What AutoGPTQ and GPTQModel write. @see AutoGPTQ `quantization/config.py`; GPTQModel `quantization/config.py` */
export const GPTQ_FILES: QuantFiles = {
  method: "gptq",
  matches: (tensors, config) => tensors.has("qweight") && (tensors.has("g_idx") || METHODS.has(config?.quant_method)),
  read(tensors, options) {
    const reader = new ModuleReader(tensors, options);
    const config = options?.config ?? {};
    const bits = integerField(config, ["bits"], 4);
    if (bits !== 2 && bits !== 3 && bits !== 4 && bits !== 8)
      throw reader.error("qweight", `has ${bits} bits by the config, expected 2, 3, 4 or 8`);
    const [words, out] = reader.take("qweight", { dtype: ["I32"], shape: [undefined, undefined] }).shape as [number, number];
    const width = (words * 32) / bits;
    if (!Number.isInteger(width))
      throw reader.error("qweight", `has ${words} lines of words, which are no whole number of inputs of ${bits} bits`);
    const groupSize = integerField(config, ["group_size"], 128);
    const checkpointFormat = config.checkpoint_format === "gptq_v2" ? "gptq_v2" : "gptq";
    const variant = { bits, groupSize, checkpointFormat, sym: config.sym !== false } as const;
    const format = gptq(variant);
    const shape = [out, width] as const;
    const made = reader.has("g_idx") ? [] : (["g_idx"] as const);
    const parts = { ...reader.parts(format, shape, made), ...(made.length > 0 && { g_idx: bytesOf(neighbours(groupSize, width)) }) };
    const groups = groupCount(groupSize, width);
    const order = asInts(parts.g_idx!);
    const stray = order.find((g) => g < 0 || g >= groups);
    if (stray !== undefined) throw reader.error("g_idx", `names group ${stray}, expected 0 to ${groups - 1}`);
    const inOrder = neighbours(groupSize, width).every((g, i) => g === order[i]);
    return { format: gptq({ ...variant, inOrder }), shape, dtype: "f16", parts };
  },
  write(weight) {
    if (!gptqOptions(weight.format))
      throw new CapabilityError(`GPTQ has no ${weight.format.name}`, {
        kind: "unwritable-format",
        hint: "requantize(weight, gptq()) makes one of it",
      });
    return tensorsOf(weight);
  },
  config(format) {
    const { sym, checkpointFormat } = gptqOptions(format) as Required<GptqOptions>;
    return {
      quant_method: "gptq",
      bits: format.bits,
      group_size: (format as IntegerFormat).groupSize,
      desc_act: false,
      sym,
      damp_percent: 0.01,
      true_sequential: true,
      static_groups: false,
      checkpoint_format: checkpointFormat,
    };
  },
};
