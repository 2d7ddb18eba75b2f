import { type Command, InvalidArgumentError, Option } from "commander";
import type { Command as Run } from "./context.js";
import { declareAdapterCommands } from "./program-adapters.js";

/** Wraps a command that is loaded when it is called. */
export type Lazy = (load: () => Promise<Run<never>>) => (...args: unknown[]) => Promise<void>;

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** "256MB", "4GiB", "1000000": bytes. */
function byteSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?$/i.exec(text.trim());
  if (!match) throw new InvalidArgumentError("expected a size such as 256MB or 4GB");
  const power = " kmgt".indexOf((match[2] || " ").toLowerCase());
  const bytes = Math.floor(Number(match[1]) * (match[3] ? 1024 : 1000) ** power);
  if (!Number.isSafeInteger(bytes) || bytes < 1) throw new InvalidArgumentError("expected a size of at least one byte");
  return bytes;
}

function tolerance(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0) throw new InvalidArgumentError("expected a number from 0 up");
  return value;
}

const adapters = (): Option =>
  new Option("-a, --adapter <path[:scale]>", "adapter folder, with a factor on its effect (repeat for several; they add up in order)")
    .argParser(collect)
    .makeOptionMandatory();
const dtype = (): Option => new Option("--dtype <dtype>", "store floats as this").choices(["f32", "f16", "bf16"]);
const memory = (): Option =>
  new Option("--max-memory <size>", "memory that the program may take").argParser(byteSize).default(256e6, "256MB");

/** Every command with its arguments and options; the code of each is loaded when it is called. */
export function declareCommands(program: Command, lazy: Lazy): void {
  program
    .command("inspect")
    .description("say what a checkpoint or an adapter holds")
    .argument("<path>", "safetensors file, index, adapter_config.json, or a folder with one of them")
    .option("--hash", "SHA-256 of every tensor's bytes")
    .option("--stats", "norms, and values that are not finite (adapters: norm of the weight change per module)")
    .option("--tensors <glob>", "only tensors with such names, each in a line of its own")
    .action(lazy(async () => (await import("./commands/inspect.js")).inspect));
  program
    .command("diff")
    .description("compare two checkpoints or adapters; exit code 4 if they are unlike")
    .argument("<a>")
    .argument("<b>")
    .addOption(new Option("--atol <number>", "largest absolute difference of values that counts as equal").argParser(tolerance).default(0))
    .option("--by-module", "one line per module instead of per tensor")
    .action(lazy(async () => (await import("./commands/diff.js")).diff));
  program
    .command("merge")
    .description("write a checkpoint with adapters merged in")
    .argument("<base>", "checkpoint: folder, index or file")
    .addOption(adapters())
    .addOption(new Option("-o, --out <folder>", "folder to write").makeOptionMandatory())
    .addOption(dtype())
    .addOption(memory())
    .addOption(
      new Option("--max-shard-size <size>", "cut the output anew into shards of at most this size (default: as the base)").argParser(
        byteSize,
      ),
    )
    .option("--safe", "round the weight change to the weight's dtype before adding it, as PEFT's safe_merge does")
    .option("--no-safe", "add in f32 and round once, as PEFT does by default")
    .option("--allow-nonfinite", "write NaN and infinite values instead of stopping")
    .option("--untie", "give tied embeddings weights of their own where an adapter changes one of the two (default)", true)
    .option("--no-untie", "change both of two tied embeddings, as PEFT does in place")
    .option("--report <file>", "JSON with what was done to each tensor, and hashes")
    .action(lazy(async () => (await import("./commands/merge.js")).merge));
  program
    .command("verify")
    .description("merge again in memory and compare with a merged checkpoint, bit for bit")
    .argument("<merged>")
    .addOption(new Option("--base <path>", "the checkpoint that was merged into").makeOptionMandatory())
    .addOption(adapters())
    .addOption(dtype())
    .addOption(memory())
    .option("--safe")
    .option("--no-safe")
    .option("--untie", "", true)
    .option("--no-untie")
    .action(lazy(async () => (await import("./commands/verify.js")).verify));
  program
    .command("unmerge")
    .description("take an adapter out of a merged checkpoint again (not exact in low precision)")
    .argument("<merged>")
    .addOption(adapters())
    .addOption(new Option("-o, --out <folder>", "folder to write").makeOptionMandatory())
    .addOption(dtype())
    .addOption(memory())
    .addOption(new Option("--max-shard-size <size>").argParser(byteSize))
    .option("--allow-nonfinite")
    .option("--report <file>")
    .action(lazy(async () => (await import("./commands/unmerge.js")).unmerge));
  program
    .command("convert")
    .description("write an adapter in another program's key scheme, and prove that it changes the same weights by the same amounts")
    .argument("<in>", "adapter: folder or file, in any dialect")
    .addOption(
      new Option("--to <dialect>", "dialect to write")
        .choices(["peft", "kohya", "diffusers", "lycoris", "comfyui", "mlx"])
        .makeOptionMandatory(),
    )
    .addOption(new Option("-o, --out <path>", "folder, or a .safetensors file where the dialect has no config").makeOptionMandatory())
    .option("--base <path>", "checkpoint that the adapter is for: its names and shapes settle what names with underscores mean")
    .addOption(
      new Option("--from <dialect>", "dialect of the input, where its keys do not tell").choices([
        "kohya",
        "lycoris",
        "diffusers",
        "diffusers-middle",
        "diffusers-old",
        "comfyui",
        "control-lora",
        "ai-toolkit",
        "onetrainer",
        "mlx",
      ]),
    )
    .option("--allow-loss", "leave out what the dialect cannot hold, instead of refusing")
    .option("--fold-alpha", "work alpha into the factors")
    .option("--no-verify", "do not rebuild the weight changes on both sides")
    .action(lazy(async () => (await import("./commands/convert.js")).convert));
  declareAdapterCommands(program, lazy);
  program
    .command("bench")
    .description("measure products on this machine's GPU")
    .option("--tune", "find the best tiles for it first, and keep them for every program that uses weft")
    .action(lazy(async () => (await import("./commands/bench.js")).bench));
  program
    .command("doctor")
    .description("check what this machine offers")
    .action(lazy(async () => (await import("./commands/doctor.js")).doctor));
}
