import type { Command } from "../context.js";
export const verify: Command<object> = async () => 1;
