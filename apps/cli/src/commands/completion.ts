import { bashCompletion } from "../completion/bash.js";
import { fishCompletion } from "../completion/fish.js";
import type { Shell } from "../completion/shells.js";
import { wordsOf } from "../completion/words.js";
import { zshCompletion } from "../completion/zsh.js";
import { type Command, EXIT } from "../context.js";
import { createProgram } from "../program/create-program.js";

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

/** `weft completion SHELL`: what a shell reads to complete commands, options, their values and files. */
export const completion: Command<object, [Shell]> = async ([shell], _options, { out }) => {
  const script = SCRIPTS[shell](wordsOf(createProgram(out.streams, async () => {})));
  out.result({ shell, script }, () => script);
  return EXIT.done;
};
