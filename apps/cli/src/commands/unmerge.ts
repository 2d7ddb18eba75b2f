import type { Command } from "../context.js";
export const unmerge: Command<object> = async () => 1;
