import { expect, it } from "vitest";
import { hotSwap } from "./hot-swap.js";

it("a page changes the adapter of its model, and gets the first one's text again", async () => {
  const root = document.createElement("main");
  const end = await hotSwap(root);
  const [select, button, text] = [root.querySelector("select")!, root.querySelector("button")!, root.querySelector("p")!];
  const written = async (adapter: string): Promise<string> => {
    select.value = adapter;
    button.click();
    await expect.poll(() => button.disabled, { timeout: 60_000 }).toBe(false);
    return text.textContent!;
  };
  const [base, red, green, again] = [await written("__base__"), await written("red"), await written("green"), await written("__base__")];
  expect(new Set([base, red, green]).size).toBe(3);
  expect(again).toBe(base);
  await end();
});
