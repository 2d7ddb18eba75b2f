// The workers' program in a page of vitest, whose server has imports ask the page for leave, which a worker has not. What is posted meanwhile is kept.
import { PROGRAM } from "./executor.js";

Object.assign(globalThis, { __vitest_browser_runner__: { wrapDynamicImport: (load: () => unknown) => load() } });
const early: unknown[] = [];
const keep = ({ data }: MessageEvent): void => void early.push(data);
addEventListener("message", keep);
await import(/* @vite-ignore */ PROGRAM.href);
removeEventListener("message", keep);
for (const data of early) dispatchEvent(new MessageEvent("message", { data }));
