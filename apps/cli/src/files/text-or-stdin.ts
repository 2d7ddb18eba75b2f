import { UsageError } from "../failure.js";

/** A text that is given, or all of stdin without the line break at its end. @throws UsageError where there is neither */
export async function textOrStdin(text: string | undefined, example: string): Promise<string> {
  if (text !== undefined && text !== "-") return text;
  if (text === undefined && process.stdin.isTTY) throw new UsageError("there is no text", example);
  process.stdin.setEncoding("utf8");
  let read = "";
  for await (const piece of process.stdin) read += piece as string;
  if (read === "") throw new UsageError("the text on stdin is empty", example);
  return read.replace(/\r?\n$/, "");
}
