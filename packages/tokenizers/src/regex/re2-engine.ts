import { RE2JS } from "re2js";
import type { SafeEngine } from "./engine.js";

/** RE2: time proportional to the text, whatever the pattern. */
export const re2Engine: SafeEngine = (source) => {
  const pattern = RE2JS.compile(source);
  return (text) => {
    const found: number[] = [];
    const matcher = pattern.matcher(text);
    let end = -1;
    for (let at = 0; at <= text.length && matcher.find(at);) {
      const [from, to] = [matcher.start(), matcher.end()];
      if (to > from || to !== end) found.push(from, (end = to));
      at = to > from ? to : to + (text.codePointAt(to)! > 0xffff ? 2 : 1);
    }
    return found;
  };
};
