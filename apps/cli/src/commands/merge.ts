import type { Command } from "../context.js";
export const merge: Command<object> = async () => 1;
