import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { type GenerateOptions, TextGenerator } from "@weft/generation";
import { ioError } from "@weft/io-safetensors/node";
import { WeftError } from "@weft/tensor-core";
import type { ChatMessage } from "@weft/tokenizers/chat";
import { type Context, EXIT } from "../context.js";
import { type OpenedModel, withAdapters } from "../models/open-model.js";

/** What a conversation begins with. */
export interface Conversation {
  readonly opened: OpenedModel;
  readonly options: GenerateOptions;
  readonly system: string | undefined;
  readonly context: Context;
}

const HELP = `/adapter PATH[:scale] …   talk with these adapters from now on; /adapter none: with none
/scale NUMBER             a factor on the effect of the adapters
/system TEXT              what the model is told before the conversation, which begins anew
/reset                    begin anew
/save FILE                write the conversation as JSON lines, as training reads it
/exit                     end (or Ctrl-D)
`;

/** A conversation on the terminal: a line is a message, its answer streams, lines that begin with a slash are commands. Ctrl-C ends an answer, or the conversation. */
export async function converse({ opened, options, system, context }: Conversation): Promise<number> {
  const { out, signal } = context;
  const say = (text: string): void => out.streams.stdout(text);
  let { model } = opened;
  let generator = new TextGenerator(model, { ...opened.files, maxBatch: 1 });
  let messages: ChatMessage[] = system === undefined ? [] : [{ role: "system", content: system }];
  const begun = (): ChatMessage[] => messages.filter(({ role }) => role === "system");
  const lines = createInterface({ input: process.stdin, output: process.stderr, prompt: out.style.bold("> ") });
  signal.addEventListener("abort", () => lines.close(), { once: true });

  const exchange = async (next: OpenedModel["model"]): Promise<void> => {
    await generator.dispose();
    model = next;
    generator = new TextGenerator(model, { ...opened.files, maxBatch: 1 });
  };

  const commands: { readonly [name: string]: (rest: string) => void | Promise<void> } = {
    help: () => out.note(HELP),
    reset: () => void (messages = begun()),
    system: (text) => void (messages = text === "" ? [] : [{ role: "system", content: text }]),
    async adapter(text) {
      const paths = text.split(/\s+/).filter((path) => path !== "" && path !== "none");
      await exchange(paths.length === 0 ? opened.base : await withAdapters(opened.base, paths, context));
      out.note(paths.length === 0 ? "no adapter" : `with ${paths.join(", ")}`);
    },
    async scale(text) {
      const scale = Number(text);
      if (!("setScale" in model)) return out.note("there is no adapter: /adapter PATH");
      if (text === "" || !Number.isFinite(scale)) return out.note("/scale 0.5: a factor on the effect of the adapters");
      for (const name of model.activeAdapters) model.setScale(scale, name);
      await exchange(model);
      out.note(`factor ${scale}`);
    },
    save(file) {
      if (file === "") return out.note("/save conversation.jsonl");
      try {
        writeFileSync(file, `${JSON.stringify({ messages })}\n`);
      } catch (error) {
        throw ioError(error, file, "write");
      }
      out.note(`✓ ${file}: ${messages.length} messages`);
    },
  };

  out.note("a conversation; /help tells what there is");
  lines.prompt();
  try {
    for await (const line of lines) {
      const [, name, rest] = /^\/(\w+)\s*(.*)$/.exec(line.trim()) ?? [];
      if (name === "exit" || name === "quit") break;
      try {
        if (name !== undefined) await (commands[name] ?? (() => out.note(`there is no /${name}; /help tells what there is`)))(rest!);
        else if (line.trim() !== "") {
          const asked = [...messages, { role: "user", content: line }];
          const generation = generator.chat(asked, options);
          for await (const { text } of generation) say(text);
          messages = [...asked, { role: "assistant", content: (await generation.result).text }];
          say("\n");
        }
      } catch (error) {
        if (!(error instanceof WeftError) || signal.aborted) throw error;
        out.warn(`${error.message}${error.hint === undefined ? "" : ` (${error.hint})`}`);
      }
      lines.prompt();
    }
  } finally {
    lines.close();
    await generator.dispose();
  }
  return EXIT.done;
}
