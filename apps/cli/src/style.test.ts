import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { describeFailure, failureText } from "./failure.js";
import { styleFor, wantsColor } from "./style.js";
import { FIXTURES } from "./testing/cli.js";
import { main } from "./main.js";
import { FormatError } from "@weft/tensor-core";

describe("colours", () => {
  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: "1" }, false],
    [true, { NO_COLOR: "" }, true],
    [false, { FORCE_COLOR: "1" }, true],
    [true, { FORCE_COLOR: "0" }, false],
    [false, { FORCE_COLOR: "1", NO_COLOR: "1" }, false],
    [true, { TERM: "dumb" }, false],
  ])("terminal %s, %j: %s", (terminal, env, color) => expect(wantsColor(terminal, env)).toBe(color));

  it("are in errors, help and results where the stream takes them", async () => {
    const run = async (color: boolean, ...argv: string[]): Promise<string> => {
      let text = "";
      const more = (part: string): void => void (text += part);
      await main(argv, { stdout: more, stderr: more, terminal: false, color: { stdout: color, stderr: color } });
      return text;
    };
    expect(await run(true, "inspect", "nowhere")).toBe(
      "\u001b[1m\u001b[31merror:\u001b[39m\u001b[22m nowhere: there is no such file or folder\n",
    );
    expect(await run(false, "inspect", "nowhere")).toBe("error: nowhere: there is no such file or folder\n");
    expect(await run(true, "merge", "--help")).toContain("\u001b[1mExamples:");
    expect(await run(false, "merge", "--help")).not.toContain("\u001b");
    const lint = ["lint", join(FIXTURES, "peft/llama_lora")];
    expect(await run(true, ...lint)).toContain("\u001b[");
    expect(await run(false, ...lint)).not.toContain("\u001b[");
  });
});

describe("an error's text", () => {
  const text = (message: string, file: string): string =>
    failureText(describeFailure(new FormatError(message, { kind: "header-json", file })), styleFor(false));

  it("names the file once", () => {
    expect(text("a/b.json: not valid JSON", "a/b.json")).toBe("error: a/b.json: not valid JSON\n");
    expect(text("not valid JSON", "a/b.json")).toBe("error: a/b.json: not valid JSON\n");
    expect(text("a: no adapter", "a/adapter_config.json")).toBe("error: a: no adapter\n");
  });
});
