import type { Field } from "../json/fields.js";
import type { PostProcessorKind } from "./post-processor.js";
import { template, type TemplatePart } from "./template.js";

/** A token with its id: `["[SEP]", 102]`. */
export function readToken(field: Field): Omit<Extract<TemplatePart, { ids: unknown }>, "typeId"> {
  const [token, id, ...more] = field.items();
  if (!token || !id || more.length > 0) throw field.wrong("a token and its id");
  return { ids: [id.integer()], tokens: [token.string()] };
}

/** `[CLS] A [SEP]`, and `[CLS] A [SEP] B [SEP]` with B and what follows of type 1. */
export const BERT: PostProcessorKind = {
  type: "BertProcessing",
  read(field) {
    const [cls, sep] = [readToken(field.at("cls")), readToken(field.at("sep"))];
    const single: TemplatePart[] = [
      { ...cls, typeId: 0 },
      { sequence: 0, typeId: 0 },
      { ...sep, typeId: 0 },
    ];
    return template(single, [...single, { sequence: 1, typeId: 1 }, { ...sep, typeId: 1 }]);
  },
};
