import { Option } from "@commander-js/extra-typings";
import { DIALECT_NAMES } from "@weft/adapter-files/names";
import { TARGET_NAMES } from "@weft/convert/names";
import { byteSize, collect, positive, rank } from "./values.js";

/** How weights and factors are stored. */
const DTYPES = ["f32", "f16", "bf16"] as const;

/** Options that several commands have. */
export const ownOrAdapters = () =>
  new Option(
    "-a, --adapter <path[:scale]>",
    "adapter: folder or file, with a factor on its effect (repeat for several; they add up in order); left out, the one that a base saved unmerged holds",
  )
    .argParser(collect)
    .default([] as string[], "none");
export const adapters = () =>
  new Option(
    "-a, --adapter <path[:scale]>",
    "adapter: folder or file, with a factor on its effect (repeat for several; they add up in order)",
  )
    .argParser(collect)
    .makeOptionMandatory();
export const outFolder = () => new Option("-o, --out <folder>", "folder to write").makeOptionMandatory();
export const outFile = () => new Option("-o, --out <file>", "file to write").makeOptionMandatory();
export const outPath = () =>
  new Option("-o, --out <path>", "folder, or a .safetensors file where the dialect has no config").makeOptionMandatory();
export const weightDType = () => new Option("--dtype <dtype>", "store floats as this (default: as they are)").choices(DTYPES);
export const factorDType = () => new Option("--dtype <dtype>", "store the factors as this").choices(DTYPES);
export const maxMemory = () =>
  new Option("--max-memory <size>", "memory that the program may take").argParser(byteSize).default(256e6, "256MB");
export const maxShardSize = () =>
  new Option("--max-shard-size <size>", "cut the output anew into shards of at most this size (default: as the base)").argParser(byteSize);
export const safe = () =>
  new Option("--safe", "round as PEFT's safe_merge does: the change of most methods goes to the weight's dtype before it is added");
export const noAutocastAdapterDtype = () =>
  new Option(
    "--no-autocast-adapter-dtype",
    "compute with adapters in the weight's dtype, as PEFT does with autocast_adapter_dtype=False (default: in f32)",
  );
export const noUntie = () =>
  new Option(
    "--no-untie",
    "change both of two tied embeddings, as PEFT does in place (default: weights of their own where an adapter changes one of the two)",
  );
export const allowNonfinite = () => new Option("--allow-nonfinite", "write NaN and infinite values instead of stopping");
export const allowLostChange = () =>
  new Option("--allow-loss", "write quantised weights although most of the change is rounded away (default: refused below a half)");
export const residualRank = () =>
  new Option("--residual-rank <n>", "of quantised weights: keep what is rounded away as a LoRA of this rank, in OUT/adapter").argParser(
    rank,
  );
export const report = () => new Option("--report <file>", "JSON with what was done to each tensor, and hashes");
export const to = () => new Option("--to <dialect>", "dialect to write").choices(TARGET_NAMES);
export const from = () =>
  new Option("--from <dialect>", "dialect of the input, where its keys do not tell").choices(
    DIALECT_NAMES.filter((name) => name !== "peft"),
  );
export const alpha = () =>
  new Option("--alpha <number>", "alpha of an adapter whose file does not say it; the scale is alpha / rank").argParser(positive);
export const adapterName = () => new Option("--adapter-name <name>", "which adapter is meant, of files that hold several");
export const namesFrom = () =>
  new Option("--base <path>", "checkpoint that the adapter is for: its names and shapes settle what names with underscores mean");
export const baseName = () => new Option("--base-name <name>", "what adapter_config.json calls the base model");
export const allowLoss = () => new Option("--allow-loss", "leave out what the dialect cannot hold, instead of refusing");
