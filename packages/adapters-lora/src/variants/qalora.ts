import { broadcastTo, ConfigError, featuresOf, mul, reshape, tensor, torchKaimingUniform } from "@weft/tensor-core";
import type { LoraVariant } from "./variant.js";

/**
 * QA-LoRA (Xu et al. 2023): A [r, in/g] sees the input averaged in groups of g = `qalora_group_size` and multiplied by in/g: as plain LoRA, each column
 * of A stands g times, by in/g². PEFT has it for GPTQ weights alone, which do not take a merge; on a dense base W + s·B·A is what it does.
 * @see peft `tuners/lora/variants.py` QALoraLinearVariant
 */
export const QALORA: LoraVariant = {
  name: "QA-LoRA",
  field: "use_qalora",
  kinds: ["linear"],
  parameters(plain, { r, qaloraGroupSize: group }, layer) {
    const { in: inputs } = featuresOf(layer);
    if (inputs % group !== 0) throw new ConfigError(`use_qalora: qalora_group_size ${group} must divide the layer's inputs, ${inputs}`);
    return { ...plain, A: { ...plain.A!, shape: [r, inputs / group] } };
  },
  factors(params, { config: { qaloraGroupSize: group } }) {
    const [r, groups] = params.A!.shape as [number, number];
    const repeated = reshape(broadcastTo(reshape(params.A!, [r, groups, 1]), [r, groups, group]), [r, groups * group]);
    return { ...params, A: mul(repeated, groups / group) };
  },
  init(params, { r, qaloraGroupSize: group }, layer, generator) {
    const shape = [r, featuresOf(layer).in / group];
    return { ...params, A: tensor(torchKaimingUniform(generator, shape), { shape }) };
  },
};
