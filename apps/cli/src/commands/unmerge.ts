import type { Command } from "../context.js";
import { type MergeFlags, writeMerged } from "./merge.js";

export const unmerge: Command<MergeFlags> = ([merged], flags, context) => writeMerged(merged!, flags, context, true);
