import { quantizeCheckpoint, type QuantTargetName } from "@weft/checkpoint/node";
import { type Command, EXIT } from "../context.js";
import { type EncodeCommandOptions, runEncodeCommand } from "./encode-output.js";

export interface QuantizeCommandOptions extends EncodeCommandOptions {
  readonly to: QuantTargetName;
  readonly groupSize?: number;
  readonly doubleQuant?: boolean;
  readonly skip?: readonly string[];
  readonly dtype?: "f32" | "f16" | "bf16";
}

/** `weft quantize BASE --to FORMAT -o OUT`: the linear layers of a checkpoint in few bits. */
export const quantize: Command<QuantizeCommandOptions> = async ([base], options, context) => {
  const { to, groupSize, doubleQuant, skip, dtype } = options;
  await runEncodeCommand("quantize", base, options, context, (job) =>
    quantizeCheckpoint({ ...job, to, groupSize, doubleQuant, skip, dtype }),
  );
  return EXIT.done;
};
