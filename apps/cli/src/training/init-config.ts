import type { ObjectiveName } from "@weft/fine-tuning";
import { existsSync } from "node:fs";
import { createInterface, type Interface } from "node:readline/promises";
import { detectFormat } from "@weft/datasets";
import { readRowsOf } from "@weft/datasets/node";
import { writeFileAtomic } from "@weft/io-safetensors/node";
import { CancelledError, ConfigError, WeftError } from "@weft/tensor-core";
import { Document } from "yaml";
import { type Context, EXIT } from "../context.js";
import { UsageError } from "../failure.js";
import { TRAIN_FIELDS } from "@weft/fine-tuning/fields";
import { count, positive } from "../program/values.js";
import type { TrainFlags } from "./train-config.js";

/** The file that is written if none is named. */
const FILE = "train.yaml";

/** What is asked: a field of the file, as a person would be asked for it. */
interface Question {
  readonly field: string;
  readonly text: string;
  /** What an empty answer means. */
  readonly usual?: string;
  /** What goes into the file. @throws an error that says what is wrong with the answer */
  read(answer: string): unknown;
}

const isHub = (path: string): boolean => path.startsWith("hf:");

function existing(path: string): string {
  if (!isHub(path) && !existsSync(path)) throw new UsageError(`there is no ${path}`);
  return path;
}

/** The five questions. @param flags answers that the command line gives: they are what an empty line means */
const questionsOf = (flags: TrainFlags): readonly Question[] => {
  const given = (flag: string, usual?: string): { readonly usual?: string } => {
    const value = flags[flag];
    const told = value === undefined ? usual : String(value);
    return told === undefined ? {} : { usual: told };
  };
  return [
    { field: "model_name_or_path", text: "Which model? A folder, a GGUF file, or hf:user/repo", ...given("model"), read: existing },
    { field: "train_file", text: "Which data? .jsonl, .json, .csv, .txt or .parquet", ...given("data"), read: existing },
    { field: "output_dir", text: "Which folder shall the adapter be written to?", ...given("out", "adapter"), read: (answer) => answer },
    { field: "num_train_epochs", text: "How often shall it go through the data?", ...given("epochs", "3"), read: positive },
    { field: "peft.r", text: "Which rank? A larger one learns more, and takes more memory", ...given("rank", "8"), read: count },
  ];
};

/** What data are learnt by that have these columns. */
const OBJECTIVE_OF: { readonly [format: string]: ObjectiveName } = { preference: "dpo", kto: "kto" };

/** What the columns of the first row say. @throws what reading throws */
async function objectiveOf(file: string, offline: boolean): Promise<ObjectiveName> {
  for await (const row of readRowsOf(file, { offline })) return OBJECTIVE_OF[detectFormat(row)] ?? "sft";
  throw new ConfigError(`${file}: there are no examples`, { kind: "dataset-empty" });
}

const helpOf = (field: string): string | undefined => TRAIN_FIELDS.find(({ name }) => name === field)?.help;

/** The answers as a file, each with what it is. */
function yamlOf(answers: ReadonlyMap<string, unknown>, file: string): string {
  const document = new Document({});
  for (const [field, value] of answers) document.setIn(field.split("."), value);
  document.commentBefore = ` weft train ${file}\n --dry-run shows what would be learnt, and what it takes; weft train --help lists all settings\n`;
  const lines = document.toString({ lineWidth: 0 }).split("\n");
  return lines
    .map((line) => {
      const name = /^( *)(\w+): \S/.exec(line);
      const help = name && helpOf(`${name[1] === "" ? "" : "peft."}${name[2]}`);
      return help ? `${line} # ${help}` : line;
    })
    .join("\n");
}

/** Asks until the answer will do. */
async function ask(lines: Interface, { text, usual, read }: Question, say: (text: string) => void, signal: AbortSignal): Promise<unknown> {
  for (;;) {
    const answer = (await lines.question(`${text}${usual === undefined ? "" : ` [${usual}]`}: `, { signal })).trim() || usual;
    if (answer === undefined) continue;
    try {
      return read(answer);
    } catch (error) {
      say(`  ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/**
 * `weft train --init [CONFIG]`: asks what a training must know, and writes the file of its settings.
 * @throws UsageError where there is nobody to ask; ConfigError kind `exists` for a file that is there; CancelledError
 */
export async function initConfig(file: string = FILE, flags: TrainFlags, { out, options, signal }: Context): Promise<number> {
  if (existsSync(file) && !options.force)
    throw new ConfigError(`${file} exists already`, { kind: "exists", file, hint: "name another file, or pass --force" });
  if (process.stdin.isTTY !== true || out.json)
    throw new UsageError(
      "--init asks questions, and there is no terminal to ask on",
      "give the answers as flags: weft train -m MODEL --data FILE -o OUT --epochs 3 --rank 8",
    );
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const gone = new Promise<never>((_, reject) => lines.once("close", () => reject(new CancelledError("no answer: nothing was written"))));
  gone.catch(() => {});
  const say = (text: string): void => out.streams.stderr(`${text}\n`);
  try {
    const answers = new Map<string, unknown>();
    for (const question of questionsOf(flags)) answers.set(question.field, await Promise.race([ask(lines, question, say, signal), gone]));
    answers.set("objective", await objectiveOf(String(answers.get("train_file")), flags["offline"] === true));
    await writeFileAtomic(file, yamlOf(answers, file));
  } catch (error) {
    if (signal.aborted && !(error instanceof WeftError)) throw new CancelledError("stopped: nothing was written");
    throw error;
  } finally {
    lines.close();
  }
  out.result({ out: file }, () => `✓ ${file}: weft train ${file} --dry-run shows what would be learnt, and what it takes`);
  return EXIT.done;
}
