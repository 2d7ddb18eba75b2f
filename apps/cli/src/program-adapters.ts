import { type Command, InvalidArgumentError, Option } from "commander";
import type { BlockWeight } from "./commands/combine.js";
import type { Lazy } from "./program.js";

const DIALECTS = ["peft", "kohya", "diffusers", "lycoris", "comfyui", "mlx"] as const;

const SOURCES = [...DIALECTS, "diffusers-middle", "diffusers-old", "control-lora", "ai-toolkit", "onetrainer"].filter(
  (name) => name !== "peft",
);

const COMBINATIONS = [
  "exact",
  "linear",
  "cat",
  "svd",
  "ties",
  "ties_svd",
  "dare_linear",
  "dare_linear_svd",
  "dare_ties",
  "dare_ties_svd",
  "magnitude_prune",
  "magnitude_prune_svd",
] as const;

/** A number within bounds. */
const within =
  (low: number, high: number, expected: string) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= low && value <= high)) throw new InvalidArgumentError(`expected ${expected}`);
    return value;
  };
const share = within(0, 1, "a share from 0 to 1");
const size = within(0, Number.MAX_VALUE, "a number from 0 up");

const positive = within(Number.MIN_VALUE, Number.MAX_VALUE, "a number above 0");
const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

function whole(text: string): number {
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text))) throw new InvalidArgumentError("expected a whole number from 0 up");
  return Number(text);
}

function block(text: string, before: readonly BlockWeight[] = []): BlockWeight[] {
  const match = /^(.+)=([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i.exec(text);
  if (!match) throw new InvalidArgumentError("expected part=weight, such as layers.3=0.5");
  return [...before, { part: match[1]!, weight: Number(match[2]) }];
}

function rank(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 65536) throw new InvalidArgumentError("expected a rank from 1 to 65536");
  return value;
}

const list = (text: string): string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

const dtype = (): Option =>
  new Option("--dtype <dtype>", "store the factors as this").choices(["f32", "f16", "bf16"]).argParser((text) => {
    if (!["f32", "f16", "bf16"].includes(text)) throw new InvalidArgumentError("Allowed choices are f32, f16, bf16.");
    return text.toUpperCase();
  });
const out = (): Option =>
  new Option("-o, --out <path>", "folder, or a .safetensors file where the dialect has no config").makeOptionMandatory();
const to = (): Option => new Option("--to <dialect>", "dialect to write").choices(DIALECTS);
const from = (): Option => new Option("--from <dialect>", "dialect of the input, where its keys do not tell").choices(SOURCES);
const base = (): Option =>
  new Option("--base <path>", "checkpoint that the adapter is for: its names and shapes settle what names with underscores mean");
const loss = (): Option => new Option("--allow-loss", "leave out what the dialect cannot hold, instead of refusing");

/** The commands that make adapters out of weights or of other adapters, and those that look at adapters. */
export function declareAdapterCommands(program: Command, lazy: Lazy): void {
  program
    .command("extract")
    .description("write a fine-tuned checkpoint as an adapter: the SVD of how its weights differ from the base's")
    .argument("<tuned>", "checkpoint: folder, index or file")
    .addOption(new Option("--base <path>", "the checkpoint that was tuned").makeOptionMandatory())
    .addOption(out())
    .addOption(new Option("--rank <n>", "rank of every layer; with one of the rules below, the largest").argParser(rank))
    .addOption(new Option("--conv-rank <n>", "rank of convolutions with kernels of more than one place").argParser(rank))
    .addOption(new Option("--auto-rank <share>", "for each layer the least rank that keeps this share of ‖ΔW‖²").argParser(share))
    .addOption(new Option("--threshold <value>", "for each layer as many as there are singular values above this").argParser(size))
    .addOption(new Option("--ratio <share>", "… above this share of the largest").argParser(share))
    .addOption(
      new Option("--quantile <share>", "… whose sum stays below this share of the sum of all (slow: needs all of them)").argParser(share),
    )
    .addOption(new Option("--clamp <quantile>", "clamp the factors to ± this quantile of their values, as kohya does").argParser(share))
    .option("--small-conv", "Tucker cores for kernels, as LyCORIS: small, and lossy")
    .option("--whole", "write ΔW itself where the rank would reach half of the outputs, as LyCORIS (kohya, lycoris)")
    .addOption(new Option("--min-change <value>", "leave out weights of which no element changed by more").argParser(size).default(0))
    .addOption(new Option("--target <names>", "only these modules: last parts of their paths, with commas").argParser(list))
    .addOption(to().default("peft"))
    .addOption(dtype().default("F32", "f32"))
    .option("--base-name <name>", "what adapter_config.json calls the base model")
    .addOption(loss())
    .option("--report <file>", "JSON with rank and residual of every module")
    .action(lazy(async () => (await import("./commands/extract.js")).extract));
  program
    .command("resize")
    .description("write an adapter at lower ranks, by kohya's rules")
    .argument("<in>", "adapter: folder or file, in any dialect")
    .addOption(out())
    .addOption(
      new Option("--rank <n>", "rank of every module; with one of the rules below, the largest").argParser(rank).makeOptionMandatory(),
    )
    .addOption(new Option("--conv-rank <n>", "the same for kernels of more than one place").argParser(rank))
    .addOption(new Option("--sv-ratio <ratio>", "drop singular values below the largest divided by this").argParser(positive))
    .addOption(new Option("--sv-fro <share>", "keep this share of ‖ΔW‖").argParser(share))
    .addOption(new Option("--sv-cumulative <share>", "keep this share of the sum of singular values").argParser(share))
    .addOption(from())
    .addOption(to())
    .addOption(base())
    .addOption(dtype())
    .addOption(loss())
    .action(lazy(async () => (await import("./commands/resize.js")).resize));
  program
    .command("combine")
    .description("write several adapters as one, without their base")
    .addOption(
      new Option("-a, --adapter <path[:weight]>", "adapter of any low-rank method and dialect (repeat for several)")
        .argParser(collect)
        .makeOptionMandatory(),
    )
    .addOption(out())
    .addOption(
      new Option("--combine <type>", "exact: the sum itself, ranks added up; the others as PEFT's add_weighted_adapter")
        .choices(COMBINATIONS)
        .default("exact"),
    )
    .addOption(new Option("--rank <n>", "rank of the result (exact and the svd types)").argParser(rank))
    .addOption(new Option("--density <share>", "share of entries that ties, dare and magnitude_prune keep").argParser(share))
    .addOption(new Option("--sign <method>", "how ties elects signs").choices(["total", "frequency"]))
    .addOption(new Option("--clamp <quantile>", "clamp the factors of an svd type to ± this quantile of their values").argParser(share))
    .addOption(new Option("--seed <n>", "seed of dare's random masks").argParser(whole))
    .addOption(
      new Option("--block <part=weight>", "a further factor for modules with this in their path: layers.3=0.5 (repeat)").argParser(block),
    )
    .addOption(to())
    .addOption(base())
    .addOption(loss())
    .action(lazy(async () => (await import("./commands/combine.js")).combine));
  program
    .command("lint")
    .description("say what is wrong, wasted or a trap in an adapter, and what to do; exit code 4 if there is more than notes")
    .argument("<adapter>", "adapter: folder or file, in any dialect")
    .option("--base <path>", "checkpoint that it is to go with")
    .addOption(from())
    .action(lazy(async () => (await import("./commands/lint.js")).lint));
  program
    .command("export")
    .description("write an adapter as a server loads it, or say why it would not")
    .argument("<in>", "adapter: folder or file, in any dialect")
    .addOption(
      new Option("--target <server>", "what is to load it").choices(["vllm", "lorax", "llama-server", "onnx"]).makeOptionMandatory(),
    )
    .addOption(new Option("-o, --out <folder>", "folder to write").makeOptionMandatory())
    .option("--base-name <name>", "what adapter_config.json calls the base model")
    .addOption(base())
    .addOption(loss())
    .action(lazy(async () => (await import("./commands/export.js")).exportAdapter));
}
