import { localModel, openGenerationFiles } from "@weft/generation/node";
import { type Command, EXIT } from "../context.js";
import { table } from "../output.js";
import { textOrStdin } from "../files/text-or-stdin.js";

export interface TokenizeCommandOptions {
  readonly model: string;
  readonly specialTokens: boolean;
  readonly ids?: boolean;
}

/** `weft tokenize -m MODEL [TEXT]` */
export const tokenize: Command<TokenizeCommandOptions, [string | undefined]> = async ([given], options, context) => {
  const { signal, out } = context;
  const text = await textOrStdin(given, 'weft tokenize -m model/ "How long is this?"');
  const { tokenizer } = await openGenerationFiles(await localModel(options.model, { signal }));
  const { ids, tokens, offsets } = tokenizer.encode(text, { addSpecialTokens: options.specialTokens, truncation: false, padding: false });
  out.result({ ids, tokens, offsets, count: ids.length }, (style) => {
    if (options.ids) return ids.join(" ");
    const colors = [style.green, style.yellow, style.bold];
    // Tokens may share a character, as those of its bytes.
    let shownTo = 0;
    const shown = offsets.map(([from, to], i) => {
      const part = text.slice(Math.max(from, shownTo), to);
      shownTo = Math.max(shownTo, to);
      return part === "" ? "" : colors[i % colors.length]!(part);
    });
    const rows = ids.map((id, i) => [`${id}`, JSON.stringify(tokens[i]), offsets[i]![1] > offsets[i]![0] ? offsets[i]!.join("–") : ""]);
    return `${shown.join("")}\n\n${table([["id", "token", "place"], ...rows], [0])}\n${ids.length} tokens`;
  });
  return EXIT.done;
};
