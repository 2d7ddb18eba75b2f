import { Command, Option } from "@commander-js/extra-typings";
import { GGUF_ALIASES, GGUF_TARGETS, QUANT_TARGETS } from "@weft/checkpoint/names";
import { examples } from "./examples.js";
import { maxMemory, maxShardSize, weightDType } from "./options.js";
import type { Runner } from "./runner.js";
import { byteSize, count, groupSize, list } from "./values.js";

export const quantizeCommand = (run: Runner) =>
  new Command("quantize")
    .description("write a checkpoint with its linear layers in few bits, as the program of the format writes it")
    .argument("<base>", "checkpoint: folder, index, file, or hf:user/repo in the hub's cache; one that is quantised is read as its values")
    .addOption(
      new Option(
        "--to <format>",
        "bitsandbytes: nf4, fp4, int8; AWQ and GPTQ: awq, gptq (with --calibration searched for as the originals do, else rounded to the nearest); FP8 in tiles: fp8; compressed-tensors: w4a16, w8a16, nvfp4; a GGUF file with its tokenizer: q8_0, q4_k_m and the others",
      ).choices([...QUANT_TARGETS, ...GGUF_TARGETS, ...(Object.keys(GGUF_ALIASES) as (keyof typeof GGUF_ALIASES)[])]),
    )
    .addOption(new Option("-o, --out <path>", "folder to write, or a .gguf file").makeOptionMandatory())
    .addOption(
      new Option("--group-size <n>", "columns that share a scale, -1 for whole rows (awq, gptq, w4a16, w8a16; default: 128)").argParser(
        groupSize,
      ),
    )
    .addOption(
      new Option(
        "--budget <size>",
        "what the weights may take, as 400MB or 1.2GiB: layers that lose most stay as they are; of a GGUF file, without --to, each tensor gets the type with which all lose least",
      ).argParser(byteSize),
    )
    .option(
      "--report <file>",
      "a page (HTML) with size and error of each layer, as a table and a plot; with --json, the result has them, too",
    )
    .addOption(
      new Option(
        "--calibration <file>",
        "text (.txt, .md), or rows of data (.jsonl, .json, .csv, .parquet) with texts or chats: what the model is used for; guides awq and gptq, and the K types of GGUF files",
      ),
    )
    .addOption(new Option("--samples <n>", "how many samples of it are read (default: 64)").argParser(count))
    .addOption(new Option("--sample-length <n>", "tokens of a sample (default: 512)").argParser(count))
    .option("--act-order", "quantise inputs in the order of their energy (gptq with --calibration)")
    .option("--imatrix <file>", "an importance matrix of llama.cpp (imatrix.gguf or .dat), for GGUF files")
    .option("--save-imatrix <file>", "keep what --calibration measures as such a file: GGUF if its name ends in .gguf, else .dat")
    .option("--double-quant", "store the scales in eight bits, too (nf4, fp4)")
    .addOption(new Option("--skip <names>", "leave these layers as they are: paths, or last parts of them, with commas").argParser(list))
    .addOption(weightDType())
    .addOption(maxMemory())
    .addOption(maxShardSize())
    .addHelpText(
      "after",
      examples(
        ["four bits that transformers loads with bitsandbytes", "weft quantize model/ --to nf4 --double-quant -o model-nf4/"],
        ["a file for llama.cpp", "weft quantize model/ --to q4_k_m -o model-q4_k_m.gguf"],
        ["four bits by what the model is used for", "weft quantize model/ --to gptq --calibration chats.jsonl -o model-gptq/"],
        ["the best file of a size", "weft quantize model/ --budget 80MB --report report.html -o model.gguf"],
        ["what it would take", "weft quantize model/ --to gptq -o model-gptq/ --dry-run"],
      ),
    )
    .action(run(async () => (await import("../commands/quantize.js")).quantize));
