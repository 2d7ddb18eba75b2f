import { readToken } from "./bert.js";
import { trimOffsets } from "./byte-level.js";
import type { PostProcessorKind } from "./post-processor.js";
import { template, type TemplatePart } from "./template.js";

/** `<s> A </s>`, and `<s> A </s></s> B </s>`, all of type 0; spaces are left out of offsets. */
export const ROBERTA: PostProcessorKind = {
  type: "RobertaProcessing",
  read(field) {
    const cls = { ...readToken(field.at("cls")), typeId: 0 };
    const sep = { ...readToken(field.at("sep")), typeId: 0 };
    const single: TemplatePart[] = [cls, { sequence: 0, typeId: 0 }, sep];
    const { added, process } = template(single, [...single, sep, { sequence: 1, typeId: 0 }, sep]);
    const trim = field.at("trim_offsets").boolean(true);
    const prefix = field.at("add_prefix_space").boolean(true);
    return {
      added,
      process: (encodings, addSpecialTokens) =>
        process(trim ? encodings.map((one) => trimOffsets(one, prefix)) : encodings, addSpecialTokens),
    };
  },
};
