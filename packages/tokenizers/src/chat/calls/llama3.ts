import type { CallFormat } from "./call-format.js";
import { readCalls } from "./read-call.js";

const TAG = "<|python_tag|>";
/** How an answer that is a call begins. */
const BEGINNINGS = [TAG, "{", "[", "```"];
const FENCE = /^\s*```(?:json)?\s*\n?([^]*?)\n?```\s*$/u;

/** Llama 3.1 and later: a whole answer of `{"name": …, "parameters": {…}}`, also behind `<|python_tag|>`, and several with `;` between. */
export const LLAMA3: CallFormat = {
  name: "llama3",
  open: "",
  close: "",
  argumentsKey: "parameters",
  // A call is the whole answer, and shows in how it begins.
  certain(text) {
    const begun = text.trimStart();
    const isCall = BEGINNINGS.some((one) => begun.startsWith(one) || one.startsWith(begun));
    return isCall ? 0 : text.length;
  },
  parse(text) {
    const tagged = text.trimStart().startsWith(TAG);
    const body = (tagged ? text.trimStart().slice(TAG.length) : text).replaceAll(/<\|(?:eom|eot)_id\|>/gu, "").trim();
    const json = FENCE.exec(body)?.[1]?.trim() ?? body;
    // An answer may be JSON as well: a call has a name first.
    if (!tagged && !/^[[{]\s*(?:\{\s*)?"(?:name|type|function)"/u.test(json)) return { calls: [], faults: [], text: text.trim() };
    const reads = separate(json).map((one) => readCalls(one));
    return { calls: reads.flatMap(({ calls }) => calls), faults: reads.flatMap(({ faults }) => faults), text: "" };
  },
};

/** Values with `;` between them, of which a text within one may hold some as well. */
function separate(json: string): readonly string[] {
  const values: string[] = [];
  let pending = "";
  for (const part of json.split(";")) {
    pending = pending === "" ? part : `${pending};${part}`;
    if (!isJson(pending)) continue;
    values.push(pending);
    pending = "";
  }
  return pending.trim() === "" ? values : [...values, pending];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
