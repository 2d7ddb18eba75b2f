import type { GgufTargetName, QuantTargetName } from "@weft/checkpoint/names";
import { quantizeCheckpoint, quantizeToGguf } from "@weft/checkpoint/node";
import { QUANT_TARGETS } from "@weft/checkpoint/names";
import { type Command, EXIT } from "../context.js";
import { UsageError } from "../failure.js";
import { type EncodeCommandOptions, runEncodeCommand } from "./encode-output.js";

export interface QuantizeCommandOptions extends EncodeCommandOptions {
  readonly to: QuantTargetName | GgufTargetName;
  readonly groupSize?: number;
  readonly doubleQuant?: boolean;
  readonly skip?: readonly string[];
  readonly dtype?: "f32" | "f16" | "bf16";
}

const isGguf = (to: QuantizeCommandOptions["to"]): to is GgufTargetName => !(QUANT_TARGETS as readonly string[]).includes(to);

/** `weft quantize BASE --to FORMAT -o OUT`: the linear layers of a checkpoint in few bits, or all of it as a GGUF file. */
export const quantize: Command<QuantizeCommandOptions> = async ([base], options, context) => {
  const { to, groupSize, doubleQuant, skip, dtype } = options;
  if (!isGguf(to)) {
    await runEncodeCommand("quantize", base, options, context, (job) =>
      quantizeCheckpoint({ ...job, to, groupSize, doubleQuant, skip, dtype }),
    );
    return EXIT.done;
  }
  const stray = Object.entries({
    "--group-size": groupSize,
    "--double-quant": doubleQuant,
    "--skip": skip,
    "--dtype": dtype,
    "--max-shard-size": options.maxShardSize,
  }).find(([, value]) => value !== undefined);
  if (stray) throw new UsageError(`${stray[0]} is not for GGUF files`, "leave it out: llama.cpp's rules choose the type of each tensor");
  await runEncodeCommand("quantize", base, options, context, (job) => quantizeToGguf({ ...job, to }));
  return EXIT.done;
};
