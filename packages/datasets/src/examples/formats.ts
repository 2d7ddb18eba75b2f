import type { ChatMessage } from "@weft/tokenizers/chat";
import type { Example, Turns } from "./example.js";
import type { RowFields } from "./row-fields.js";

/** Formats of rows, by their names. */
export type RowFormat = "chat" | "sharegpt" | "alpaca" | "preference" | "kto" | "completion" | "text";

/** How rows of a format are told and read. */
interface FormatRule {
  readonly format: RowFormat;
  /** Columns that a row of it must have. */
  readonly needs: readonly string[];
  /** Columns that it may have besides; those that it knows. */
  readonly knows: readonly string[];
  readonly read: (fields: RowFields) => Example;
}

/** Alpaca's own words. @see tatsu-lab/stanford_alpaca `train.py` */
function alpacaPrompt(instruction: string, input: string): string {
  return input === ""
    ? `Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n${instruction}\n\n### Response:\n`
    : `Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\n${instruction}\n\n### Input:\n${input}\n\n### Response:\n`;
}

const sameMessage = (a: ChatMessage, b: ChatMessage | undefined): boolean => JSON.stringify(a) === JSON.stringify(b);

/** What two answers have in common at their beginning is the prompt: whole messages, or characters. */
function commonPrompt(chosen: Turns, rejected: Turns): { prompt: Turns; chosen: Turns; rejected: Turns } {
  const end = Math.min(chosen.length, rejected.length);
  let common = 0;
  const same = (i: number): boolean =>
    typeof chosen === "string" || typeof rejected === "string" ? chosen[i] === rejected[i] : sameMessage(chosen[i]!, rejected[i]);
  while (common < end && same(common)) common++;
  // Each answer keeps something of its own.
  if (common === end && common > 0) common--;
  return { prompt: chosen.slice(0, common), chosen: chosen.slice(common), rejected: rejected.slice(common) };
}

/** The formats, in the order in which they are tried. */
export const FORMATS: readonly FormatRule[] = [
  {
    format: "preference",
    needs: ["chosen", "rejected"],
    knows: ["prompt", "tools"],
    read(fields) {
      const { place } = fields.row;
      const [chosen, rejected] = [fields.turns("chosen"), fields.turns("rejected")];
      if ((typeof chosen === "string") !== (typeof rejected === "string"))
        throw fields.wrong("rejected", "what `chosen` is, texts or messages");
      if (!fields.has("prompt")) return { kind: "preference", ...commonPrompt(chosen, rejected), ...fields.tools(), place };
      return { kind: "preference", prompt: fields.turns("prompt"), chosen, rejected, ...fields.tools(), place };
    },
  },
  {
    format: "kto",
    needs: ["prompt", "completion", "label"],
    knows: ["tools"],
    read: (fields) => ({
      kind: "kto",
      prompt: fields.turns("prompt"),
      completion: fields.turns("completion"),
      label: fields.boolean("label"),
      ...fields.tools(),
      place: fields.row.place,
    }),
  },
  {
    format: "completion",
    needs: ["prompt", "completion"],
    knows: ["tools"],
    read: (fields) => ({
      kind: "completion",
      prompt: fields.turns("prompt"),
      completion: fields.turns("completion"),
      ...fields.tools(),
      place: fields.row.place,
    }),
  },
  {
    format: "chat",
    needs: ["messages"],
    knows: ["tools"],
    read: (fields) => ({ kind: "chat", messages: fields.messages("messages"), ...fields.tools(), place: fields.row.place }),
  },
  {
    format: "sharegpt",
    needs: ["conversations"],
    knows: ["system", "tools"],
    read(fields) {
      const system: ChatMessage[] = fields.has("system") ? [{ role: "system", content: fields.text("system") }] : [];
      return { kind: "chat", messages: [...system, ...fields.messages("conversations")], ...fields.tools(), place: fields.row.place };
    },
  },
  {
    format: "alpaca",
    needs: ["instruction", "output"],
    knows: ["input"],
    read: (fields) => ({
      kind: "completion",
      prompt: alpacaPrompt(fields.text("instruction"), fields.has("input") ? fields.text("input") : ""),
      completion: fields.text("output"),
      place: fields.row.place,
    }),
  },
  { format: "text", needs: ["text"], knows: [], read: (fields) => ({ kind: "text", text: fields.text("text"), place: fields.row.place }) },
];
