import { addedTokens, type Encoding, withLists } from "../encoding/encoding.js";
import type { Field } from "../json/fields.js";
import type { PostProcessor, PostProcessorKind } from "./post-processor.js";

/** A part of a template: one of the texts, or tokens that are added. */
export type TemplatePart =
  | { readonly sequence: 0 | 1; readonly typeId: number }
  | { readonly ids: readonly number[]; readonly tokens: readonly string[]; readonly typeId: number };

/** A processor that puts texts and special tokens in the order of a template. */
export function template(single: readonly TemplatePart[], pair: readonly TemplatePart[]): PostProcessor {
  const count = (parts: readonly TemplatePart[]): number => parts.reduce((sum, part) => sum + ("ids" in part ? part.ids.length : 0), 0);
  const [one, two] = [count(single), count(pair)];
  return {
    added: (isPair) => (isPair ? two : one),
    process: (encodings, addSpecialTokens) =>
      (encodings.length === 1 ? single : pair).flatMap((part): Encoding[] => {
        if ("ids" in part) return addSpecialTokens ? [addedTokens(part.ids, part.tokens, part.typeId, 1)] : [];
        return [withLists(encodings[part.sequence]!, ({ ids }) => ({ typeIds: new Array<number>(ids.length).fill(part.typeId) }))];
      }),
  };
}

/** A list of `{"Sequence": {"id": "A", "type_id": 0}}` and `{"SpecialToken": …}`. */
function readParts(field: Field, special: Field, mayUse: readonly string[]): TemplatePart[] {
  return field.items().map((item) => {
    if (item.map.has("Sequence")) {
      const part = item.at("Sequence");
      const id = part.at("id").oneOf(["A", "B"]);
      if (!mayUse.includes(id)) throw part.at("id").error(`there is no text ${id} in this template`);
      return { sequence: id === "A" ? 0 : 1, typeId: part.at("type_id").integer(0) };
    }
    const part = item.at("SpecialToken");
    const token = special.at(part.at("id").string());
    if (token.absent) throw part.at("id").error(`${JSON.stringify(part.at("id").value)} is not among special_tokens`);
    const ids = token
      .at("ids")
      .items()
      .map((id) => id.integer());
    const tokens = token
      .at("tokens")
      .items()
      .map((one) => one.string());
    if (ids.length !== tokens.length) throw token.error(`${ids.length} ids and ${tokens.length} tokens`);
    return { ids, tokens, typeId: part.at("type_id").integer(0) };
  });
}

export const TEMPLATE: PostProcessorKind = {
  type: "TemplateProcessing",
  read(field) {
    const special = field.at("special_tokens");
    const pair = field.at("pair");
    const parts = readParts(pair, special, ["A", "B"]);
    for (const [sequence, id] of ["A", "B"].entries())
      if (!parts.some((part) => "sequence" in part && part.sequence === sequence))
        throw pair.error(`the template for pairs does not use ${id}`);
    return template(readParts(field.at("single"), special, ["A"]), parts);
  },
};
