import type { CommandType } from "../../protocol/commands.js";
import { close } from "./close.js";
import type { Handler } from "./command-context.js";
import { hello } from "./hello.js";
import { inspect } from "./inspect.js";
import { lens } from "./lens.js";
import { open } from "./open.js";
import { plan } from "./plan.js";
import { start } from "./start.js";
import { checkpoint, pause, resume, stop } from "./steer.js";

/** What is done for each command. */
export const HANDLERS: { readonly [T in CommandType]: Handler<T> } = {
  hello,
  open,
  close,
  inspect,
  lens,
  plan,
  start,
  pause,
  resume,
  stop,
  checkpoint,
};
